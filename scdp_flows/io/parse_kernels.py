"""Read decimal numbers from bytes, in functions that numba can compile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.io.decimals import nearest_double

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["INLINED", "JITABLE", "parse_cells", "parse_numbers"]

_MOST_DIGITS = 18  # that fit into 64 bits
_LINE_FEED, _BLANK, _PLUS, _MINUS, _POINT, _ZERO, _NINE = 10, 32, 43, 45, 46, 48, 57
_LETTERS = (68, 69, 100, 101)  # D, E, d, e
_SIGNS = (_PLUS, _MINUS)


def parse_numbers(
    text: NDArray[np.uint8],
    position: int,
    stop: int,
    numbers: NDArray[np.float64],
    powers: NDArray[np.float64],
) -> tuple[int, int, bool]:
    """Read numbers that are separated by white space until the array is full or the text ends.

    Parameters
    ----------
    text
        ASCII; a blank must stand before ``stop``.
    position, stop
        Where to begin and end.
    numbers
        What to fill.
    powers
        From :func:`scdp_flows.io.decimals.powers_of_ten`.

    Returns
    -------
    position : int
        Where reading ended: right behind the last number if the array is full.
    filled : int
        How many numbers were read.
    is_stuck : bool
        Whether something stands at ``position`` that needs the slow way, or is no number.
    """
    filled = 0
    while filled < len(numbers):
        while position < stop and (text[position] == _BLANK or 9 <= text[position] <= 13):
            position += 1
        if position >= stop:
            break
        start = position
        negative = text[start] == _MINUS
        if negative or text[start] == _PLUS:
            start += 1
        mantissa, point = _digits(text, start, 0)
        end = point
        if text[point] == _POINT:
            mantissa, end = _digits(text, point + 1, mantissa)
        n_decimals = max(end - point - 1, 0)
        n_digits = point - start + n_decimals
        exponent, end = _exponent(text, end, n_decimals)
        is_separated = text[end] == _BLANK or 9 <= text[end] <= 13
        if n_digits == 0 or n_digits > _MOST_DIGITS or not is_separated:
            return position, filled, True
        value = nearest_double(mantissa, exponent - n_decimals, powers)
        if value != value:  # noqa: PLR0124 - that is how NaN shows itself
            return position, filled, True
        numbers[filled] = -value if negative else value
        filled += 1
        position = end
    return position, filled, False


def _digits(text: NDArray[np.uint8], position: int, value: int) -> tuple[int, int]:
    """Append digits to a number; return it and where the digits end."""
    while _ZERO <= text[position] <= _NINE:
        value = value * 10 + (int(text[position]) - _ZERO)
        position += 1
    return value, position


def _exponent(text: NDArray[np.uint8], position: int, n_decimals: int) -> tuple[int, int]:
    """Read an exponent, if there is one; return it and where it ends.

    Fortran leaves out the E where the exponent has three digits: 0.12345678901-102. Whatever else
    stands here is left there, which sends the caller the slow way.
    """
    has_letter = text[position] in _LETTERS
    start = position + 1 if has_letter else position
    has_sign = text[start] in _SIGNS
    negative = text[start] == _MINUS
    value, end = _digits(text, start + 1 if has_sign else start, 0)
    n_digits = end - start - (1 if has_sign else 0)
    may_lack_letter = has_sign and n_digits == 3 and n_decimals > 0
    if not (may_lack_letter or (has_letter and 0 < n_digits <= 3)):
        return 0, position
    return (-value if negative else value), end


def parse_cells(  # pragma: no cover - runs compiled
    heads: NDArray[np.uint32],
    firsts: NDArray[np.uint64],
    lasts: NDArray[np.uint64],
    ends: NDArray[np.uint8],
    numbers: NDArray[np.float64],
    powers: NDArray[np.float64],
) -> int:
    """Read numbers that stand in cells such as `` 0.12345678901E+02``, as VASP writes them.

    Several digits are converted at once by arithmetic on the integer that their bytes form
    (as in D. Lemire's parsers, Softw. Pract. Exp. 51, 1700 (2021)).

    Parameters
    ----------
    heads, firsts, lasts
        Of each cell (n_rows, n_columns) the bytes from 0, the eight from 3 and the eight from 10,
        as little-endian integers.
    ends
        The byte behind each row (n_rows,), which must be a line feed.
    numbers
        What to fill.
    powers
        From :func:`scdp_flows.io.decimals.powers_of_ten`.

    Returns
    -------
    int
        How many rows were read; the next one holds something else.
    """
    n_rows, n_columns = int(heads.shape[0]), int(heads.shape[1])
    for row in range(n_rows):
        if ends[row] != _LINE_FEED:
            return row
        for column in range(n_columns):
            value: float = _cell(
                heads[row, column], firsts[row, column], lasts[row, column], powers
            )
            if value != value:  # noqa: PLR0124
                return row
            numbers[row * n_columns + column] = value
    return n_rows


def _cell(  # pragma: no cover
    head: Any, first: Any, last: Any, powers: NDArray[np.float64]
) -> Any:
    """Return the number in a cell; NaN if it does not look as expected."""
    sign = np.int64((last >> np.uint64(40)) & np.uint64(0xFF))
    start = head & np.uint32(0xFFFFFF)
    negative = start == np.uint32(0x2E2D20)  # " -."
    if not ((negative or start == np.uint32(0x2E3020)) and sign in _SIGNS):  # " 0."
        return np.nan
    # After the eight digits: three more, E, the sign and two digits.
    if last & np.uint64(0xFF00000000) != np.uint64(0x4500000000):
        return np.nan
    tail = (last & np.uint64(0xFFFF0000FFFFFF00)) | np.uint64(0x0000303000000030)
    if not (_are_digits(first) and _are_digits(tail)):
        return np.nan
    digits = _eight_digits(first) * np.uint64(1000) + _three_digits(last >> np.uint64(8))
    exponent = np.int64(_three_digits((last >> np.uint64(40)) & np.uint64(0xFFFF00)))
    shift = (-exponent if sign == _MINUS else exponent) - 11
    value = nearest_double(np.int64(digits), shift, powers)  # type: ignore[arg-type]
    return -value if negative else value


def _are_digits(digits: Any) -> Any:  # pragma: no cover
    """Tell whether all eight bytes are digits."""
    high_halves = np.uint64(0xF0F0F0F0F0F0F0F0)
    above = ((digits + np.uint64(0x0606060606060606)) & high_halves) >> np.uint64(4)
    return (digits & high_halves) | above == np.uint64(0x3333333333333333)


def _eight_digits(digits: Any) -> Any:  # pragma: no cover
    """Return the number that eight digits form, the first in the lowest byte."""
    values = digits - np.uint64(0x3030303030303030)
    pairs = values * np.uint64(10) + (values >> np.uint64(8))
    mask = np.uint64(0x000000FF000000FF)
    even = (pairs & mask) * np.uint64(0x000F424000000064)
    odd = ((pairs >> np.uint64(16)) & mask) * np.uint64(0x0000271000000001)
    return (even + odd) >> np.uint64(32)


def _three_digits(digits: Any) -> Any:  # pragma: no cover
    """Return the number that three digits form, the first in the lowest byte."""
    mask = np.uint64(15)
    tens = ((digits >> np.uint64(8)) & mask) * np.uint64(10)
    return (digits & mask) * np.uint64(100) + tens + ((digits >> np.uint64(16)) & mask)


JITABLE = (nearest_double, _digits, _exponent)
"""The functions that the kernels call."""

INLINED = (_cell, _are_digits, _eight_digits, _three_digits)
"""Those that are too short for a call."""
