"""Write decimal numbers as bytes, in functions that numba can compile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.io.decimals import nearest_decimal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["JITABLE", "write_cells"]

_FEED, _BLANK, _PLUS, _MINUS, _POINT, _ZERO, _LETTER = 10, 32, 43, 45, 46, 48, 69


def write_cells(
    values: NDArray[np.float64],
    layout: tuple[int, int, int, int, int],
    done: int,
    text: NDArray[np.uint8],
    slow: NDArray[np.int64],
    powers: NDArray[np.float64],
) -> tuple[int, int, int]:
    """Write numbers in cells of one width, with line feeds.

    Parameters
    ----------
    values
        The numbers.
    layout
        Style (0: ``0.123E+01``, 1: ``1.23E+00``, 2: Fortran's G), width of a cell, significant
        digits, numbers on a line, and numbers after which a new line begins in any case.
    done
        How many numbers of that many were written before.
    text
        What is written to.
    slow
        Gets index and place of numbers whose cells are left blank because they need the slow way.
    powers
        From :func:`scdp_flows.io.decimals.powers_of_ten`.

    Returns
    -------
    length : int
        How many bytes were written.
    done : int
        As the parameter, afterwards.
    n_slow : int
        How many rows of ``slow`` were filled.
    """
    style, width, n_digits, per_line, row = layout
    position = n_slow = 0
    for index in range(len(values)):
        for place in range(position, position + width):
            text[place] = _BLANK
        if not _write_cell(values[index], text, position, (style, width, n_digits), powers):
            slow[n_slow, 0], slow[n_slow, 1] = index, position
            n_slow += 1
        position += width
        done += 1
        if done % per_line == 0 or done == row:
            text[position] = _FEED
            position += 1
        if done == row:
            done = 0
    return position, done, n_slow


def _write_cell(
    value: float,
    text: NDArray[np.uint8],
    start: int,
    cell: tuple[int, int, int],
    powers: NDArray[np.float64],
) -> bool:
    """Write one number into its blank cell; return whether that could be done."""
    style, width, n_digits = cell
    size = abs(value)
    if not size < 1e90:
        return False
    mantissa, exponent, is_sure = 0, min(style, 1), True
    if size >= 1e-99:
        mantissa, exponent, is_sure = nearest_decimal(size, n_digits, powers)
    end = start + width - 4
    negative = value < 0 and mantissa > 0
    if style == 2 and 0 <= exponent <= n_digits:
        _write_fixed(mantissa, text, (start, end), (n_digits, exponent), negative)
        return is_sure
    before = 1 if style == 1 else 0
    shown = exponent - before
    text[end], text[end + 1] = _LETTER, _MINUS if shown < 0 else _PLUS
    text[end + 2], text[end + 3] = _ZERO + abs(shown) // 10, _ZERO + abs(shown) % 10
    _write_fixed(mantissa, text, (start, end), (n_digits, before), negative)
    return is_sure and abs(shown) <= 99


def _write_fixed(
    mantissa: int,
    text: NDArray[np.uint8],
    span: tuple[int, int],
    digits: tuple[int, int],
    negative: bool,  # noqa: FBT001 - numba knows no keyword-only arguments
) -> None:
    """Write digits with a point after the first few, right-aligned, with the sign before them.

    As Fortran does, a zero before the point is left out where there is no room for it.
    """
    start, position = span
    n_digits, n_before = digits
    for written in range(n_digits + 1):
        position -= 1
        if written == n_digits - n_before:
            text[position] = _POINT
        else:
            text[position] = _ZERO + mantissa % 10
            mantissa //= 10
    room = position - start - (2 if negative else 1)  # the first column stays blank
    if n_before == 0 and room > 0:
        position -= 1
        text[position] = _ZERO
    if negative:
        text[position - 1] = _MINUS


JITABLE = (nearest_decimal, _write_fixed, _write_cell)
"""The functions that the kernel calls."""
