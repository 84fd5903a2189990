"""Read long runs of numbers from text: word by word if they are few, compiled if many."""

from __future__ import annotations

import math
import re
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.io.decimals import powers_of_ten
from scdp_flows.io.kernels import Demand
from scdp_flows.io.reading import COPY_ANEW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.errors import DensityFormatError
    from scdp_flows.io.grid_text import Lines

__all__ = ["KEPT", "LONGEST_LINE", "NumberBlock"]

KEPT = 1024
"""Bytes that are kept when they were used: two lines of any format."""

LONGEST_LINE = 2**20
"""Bytes without a line feed, or without a number, that are taken for no text."""

_LARGEST_GRID = 2**31
_LARGEST_START = 2**20  # numbers for which memory is taken before any is read
# No program writes more bytes per number; what does is a bomb.
_LONGEST_CELL = 64

_CORRECT = "correct the header"
_NO_NUMBER = "not a finite number"
_ANEW = "the value overflowed its columns, or the file is damaged: write it anew"

_BLANKS = (b"\n", b" ", b"\t")
_WORD = re.compile(rb"\S+")
_SIGN_AND_ZERO = re.compile(rb"^[+-]?0?(?=\.)|^[+-]")
_NUMBER = re.compile(rb"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eEdD]([+-]?\d+)|([+-]\d{3}))?")

# A cell such as `` 0.12345678901E+02`` and a line of five.
_CELL, _CELLS, _ROW = 18, 5, 91


class NumberBlock:
    """Read a run of numbers of known length, piece by piece.

    The numbers are those that ``float`` would make of the words.

    Parameters
    ----------
    lines
        The file; the numbers begin on its next line.
    count
        How many numbers there are; they end at the end of a line.
    field
        What they are, for messages.

    Raises
    ------
    DensityFormatError
        If the count is impossible.
    """

    def __init__(self, lines: Lines, count: int, *, field: str) -> None:
        if not 0 < count < _LARGEST_GRID:
            raise lines.error(f"{count} values are announced", field=field, fix=_CORRECT)
        self._lines = lines
        self._count = count
        self._field = field
        self._taken = 0
        self._last_byte = lines.offset + LONGEST_LINE + _LONGEST_CELL * count
        self._kernels = Demand.kernels_for(count)

    def take(self, count: int) -> NDArray[np.float64]:
        """Return the next numbers, (count,).

        Raises
        ------
        DensityFormatError
            If there are fewer, or something that is not a finite number.
        """
        # Memory is taken as the file yields numbers, whatever a header announces.
        numbers = np.empty(min(count, _LARGEST_START))
        filled = 0
        while filled < count:
            if filled == len(numbers):
                numbers.resize(min(2 * filled, count), refcheck=False)
            stop = self._find_words(filled)
            filled += self._parse(stop, numbers[filled:])
        self._taken += count
        return numbers

    def close(self) -> None:
        """Check that the numbers end at the end of a line that is complete.

        Raises
        ------
        DensityFormatError
            If more numbers follow, or the file ends within the last one.
        """
        lines = self._lines
        rest = next(lines, "")
        if not (rest == "" or rest.isspace()):
            raise self._error(f"more than the {self._count} values of the header", _CORRECT)
        if lines.is_unterminated and lines.position == len(lines.buffer):
            tail = lines.buffer[-KEPT:-1]
            if _is_cut(tail):
                raise self._error(f"the last number of {tail[-60:]!r} is cut", COPY_ANEW)

    def _find_words(self, filled: int) -> int:
        """Return up to where the buffer holds whole words, or only blanks."""
        lines = self._lines
        while True:
            buffer = lines.buffer
            for start in (max(lines.position, len(buffer) - KEPT), lines.position):
                stop = max(buffer.rfind(blank, start) for blank in _BLANKS) + 1
                if stop > lines.position:
                    return stop
            if lines.is_at_end:
                found = self._taken + filled
                raise self._error(f"{found} of {self._count} values", COPY_ANEW)
            if lines.offset > self._last_byte or len(buffer) - lines.position > LONGEST_LINE:
                raise self._error("more bytes than so many values take", _CORRECT)
            lines.fill()

    def _parse(self, stop: int, numbers: NDArray[np.float64]) -> int:
        """Read numbers from the buffer; return how many."""
        self._kernels = self._kernels or Demand.kernels_for(self._count - self._taken)
        if self._kernels is None:
            filled = self._parse_words(stop, numbers)
            Demand.without_kernels += filled
            return filled
        lines = self._lines
        text = np.frombuffer(lines.buffer, np.uint8)
        filled = self._parse_cells(stop, numbers)
        position = lines.position
        if filled == 0 and b"\n" not in lines.buffer[max(position - 1, 0) : position + 1]:
            # Within a line, as after a slab: the next line may begin with cells again.
            stop = lines.buffer.find(b"\n", position, stop) + 1 or stop
        position, more, is_stuck = self._kernels.parse(
            text, position, stop, numbers[filled:], powers_of_ten()
        )
        lines.advance(position)
        filled += more
        if is_stuck:
            filled += self._parse_slowly(stop, numbers[filled : filled + 1])
        return filled

    def _parse_cells(self, stop: int, numbers: NDArray[np.float64]) -> int:
        """Read full lines of VASP's cells, but for the last line feed; return how many numbers."""
        lines = self._lines
        skipped = int(lines.buffer.startswith(b"\n", lines.position))
        start = lines.position + skipped
        n_rows = min((stop - start) // _ROW, len(numbers) // _CELLS)
        if n_rows == 0 or self._kernels is None or not np.little_endian:
            return 0
        heads, firsts, lasts = (
            np.ndarray((n_rows, _CELLS), kind, lines.buffer, start + offset, (_ROW, _CELL))
            for offset, kind in ((0, "<u4"), (3, "<u8"), (10, "<u8"))
        )
        ends = np.ndarray((n_rows,), "u1", lines.buffer, start + _ROW - 1, (_ROW,))
        n_rows = self._kernels.parse_cells(heads, firsts, lasts, ends, numbers, powers_of_ten())
        if n_rows:
            # Cells hold no line feeds: there is no need to count them.
            lines.position = start + n_rows * _ROW - 1
            lines.number += skipped + n_rows - 1
        return n_rows * _CELLS

    def _parse_words(self, stop: int, numbers: NDArray[np.float64]) -> int:
        """Read numbers word by word; the slow way only if the fast one fails."""
        lines = self._lines
        text = lines.buffer[lines.position : stop]
        words = text.split(None, len(numbers))
        rest = words.pop() if len(words) > len(numbers) else b""
        try:
            values = np.array(list(map(float, words)))
        except ValueError:
            return self._parse_slowly(stop, numbers)
        if b"_" in text or not np.isfinite(values).all():  # Python reads 1_0 as ten
            return self._parse_slowly(stop, numbers)
        numbers[: len(values)] = values
        used = len(text[: len(text) - len(rest)].rstrip()) if rest else len(text)
        lines.advance(lines.position + used)
        return len(values)

    def _parse_slowly(self, stop: int, numbers: NDArray[np.float64]) -> int:
        """Read what Fortran writes and Python does not know, naming what is no number."""
        lines = self._lines
        filled, end = 0, stop
        for word in islice(_WORD.finditer(lines.buffer, lines.position, stop), len(numbers)):
            value = _number(word.group())
            if not math.isfinite(value):
                lines.advance(word.start())
                lines.number += 1
                raise self._error(
                    f"{word.group()[:60].decode(errors='replace')!r} is {_NO_NUMBER}", _ANEW
                )
            numbers[filled] = value
            filled += 1
            end = word.end()
        lines.advance(end if filled == len(numbers) else stop)
        return filled

    def _error(self, message: str, fix: str) -> DensityFormatError:
        """Return an error that names this place."""
        return self._lines.error(message, field=self._field, fix=fix)


def _number(word: bytes) -> float:
    """Return a number; NaN if the word is none."""
    found = _NUMBER.fullmatch(word)
    if found is None:
        return math.nan
    mantissa, exponent, without_letter = found.groups()
    if without_letter and b"." not in mantissa:
        return math.nan
    return float(mantissa + b"E" + (exponent or without_letter or b"0"))


def _is_cut(tail: bytes) -> bool:
    """Tell whether a file that lacks its last line feed may lack the end of its last number.

    It does not if that number has as many characters as all the others at its end.
    """
    if tail[-1:].isspace():
        return False
    rows = tail.split(b"\n")
    words = b" ".join(rows[-2:]).split()
    if len(rows) < 3 and len(tail) >= KEPT - 1:
        words = words[1:]  # may be cut at its beginning, by us
    return len({len(_SIGN_AND_ZERO.sub(b"", word)) for word in words}) > 1
