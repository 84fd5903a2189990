"""Write long runs of numbers as text, laid out as programs written in Fortran do."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from scdp_flows.io.decimals import powers_of_ten
from scdp_flows.io.kernels import Demand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "CHG",
    "CHGCAR",
    "CUBE",
    "MOMENTS",
    "OCCUPANCIES",
    "NumberLayout",
    "NumberWriter",
    "format_number",
]

_AT_A_TIME = 2**16
_NO_ROW = 2**62


class NumberLayout(NamedTuple):
    """How numbers stand on lines; each cell begins with a blank."""

    style: Literal["fortran", "c", "general"]
    """``0.123E+01``, ``1.23E+00``, or Fortran's G: plain decimals where they fit."""
    width: int
    """Columns of a cell."""
    digits: int
    """Significant digits."""
    per_line: int
    """Numbers on a line."""


CHGCAR = NumberLayout("fortran", 18, 11, 5)
"""The grids of CHGCAR, AECCAR and PARCHG: (1X,E17.11)."""
CHG = NumberLayout("general", 12, 5, 10)
"""The grids of CHG: (1X,G11.5)."""
OCCUPANCIES = NumberLayout("fortran", 15, 7, 5)
"""The PAW occupancies of CHGCAR: E15.7."""
MOMENTS = NumberLayout("fortran", 20, 12, 5)
"""The moments between the grids of CHGCAR: E20.12."""
CUBE = NumberLayout("c", 13, 6, 6)
"""Cube files: E13.5."""

_STYLES = {"fortran": 0, "c": 1, "general": 2}


def format_number(value: float, layout: NumberLayout) -> str:
    """Format one number into its cell.

    Numbers below 1e-99, whose exponents have no room, become zero.

    Examples
    --------
    >>> format_number(-7.6738912363, CHGCAR)
    ' -.76738912363E+01'
    """
    size = abs(value)
    n_digits = layout.digits
    digits, exponent = "0" * n_digits, 0 if layout.style == "fortran" else 1
    if size >= 1e-99:
        mantissa, _, power = f"{size:.{n_digits - 1}E}".partition("E")
        digits, exponent = mantissa.replace(".", ""), int(power) + 1
    sign = "-" if value < 0 and int(digits) else ""
    before, tail = 0, ""
    if layout.style == "general" and 0 <= exponent <= n_digits:
        before, tail = exponent, "    "
    else:
        before = 1 if layout.style == "c" else 0
        shown = exponent - before
        tail = f"{shown:+04d}" if abs(shown) > 99 else f"E{shown:+03d}"
    text = f"{digits[:before]}.{digits[before:]}{tail}"
    zero = "0" if before == 0 and len(sign + text) + 1 < layout.width else ""
    return (sign + zero + text).rjust(layout.width)


class NumberWriter:
    """Write a run of numbers piece by piece.

    Parameters
    ----------
    stream
        Where to.
    layout
        How.
    count
        How many numbers there will be.
    row
        Begin a new line after so many numbers, too; default: never.
    """

    def __init__(
        self, stream: IO[bytes], layout: NumberLayout, count: int, *, row: int | None = None
    ) -> None:
        self._stream = stream
        self._layout = layout
        self._row = row or _NO_ROW
        self._done = 0
        self._to_come = count
        self._kernels = Demand.kernels_for(count)

    def write(self, values: NDArray[np.floating], factor: float = 1.0) -> None:
        """Write numbers, times a factor, in C order."""
        for piece in _pieces(values):
            numbers = piece * factor
            self._kernels = self._kernels or Demand.kernels_for(self._to_come)
            self._to_come -= len(numbers)
            if self._kernels is None:
                Demand.without_kernels += len(numbers)
                self._write_words(numbers)
            else:
                self._write_compiled(numbers)

    def close(self) -> None:
        """End the last line."""
        if self._done % self._layout.per_line:
            self._stream.write(b"\n")

    def _write_compiled(self, numbers: NDArray[np.float64]) -> None:
        """Write numbers by the kernel, save for those that it leaves to the slow way."""
        if self._kernels is None:
            return
        style, width, digits, per_line = self._layout
        text = np.empty(len(numbers) * (width + 1), dtype=np.uint8)
        slow = np.empty((len(numbers), 2), dtype=np.int64)
        layout = (_STYLES[style], width, digits, per_line, self._row)
        length, self._done, n_slow = self._kernels.write(
            numbers, layout, self._done, text, slow, powers_of_ten()
        )
        for index, place in slow[:n_slow]:
            cell = format_number(float(numbers[index]), self._layout).encode()
            text[place : place + width] = np.frombuffer(cell, dtype=np.uint8)
        self._stream.write(text[:length].data)

    def _write_words(self, numbers: NDArray[np.float64]) -> None:
        """Write numbers one by one."""
        words = []
        for value in numbers.tolist():
            words.append(format_number(value, self._layout))
            self._done += 1
            if self._done % self._layout.per_line == 0 or self._done == self._row:
                words.append("\n")
            if self._done == self._row:
                self._done = 0
        self._stream.write("".join(words).encode())


def _pieces(values: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    """Yield the flattened array in pieces; only an array in another order is copied as a whole."""
    flat = np.ascontiguousarray(values).reshape(-1)
    for start in range(0, len(flat), _AT_A_TIME):
        yield flat[start : start + _AT_A_TIME].astype(np.float64)
