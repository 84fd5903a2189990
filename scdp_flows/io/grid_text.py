"""Read lines and long runs of numbers from text files, in bounded memory."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import open_binary
from scdp_flows.io.number_block import KEPT, LONGEST_LINE, NumberBlock
from scdp_flows.io.reading import COPY_ANEW, format_errors

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Lines", "format_pbc", "open_lines", "parse_pbc", "read_numbers"]

_PIECE = 2**18  # fits into the cache of a processor core

_PBC = re.compile(r"\bpbc=([TF])([TF])([TF])\b")


class Lines:
    """Iterate over the lines of a file, counting them.

    Parameters
    ----------
    stream
        The content, decompressed.
    file
        Its name, for messages.
    """

    def __init__(self, stream: IO[bytes], file: str) -> None:
        self._stream = stream
        self.file = file
        self.number = 0
        """Number of the last line read, from 1."""
        self.buffer = b""
        """What was read of the file and may not have been used yet."""
        self.position = 0
        """Where in the buffer reading goes on."""
        self._start = 0
        self.is_at_end = False
        """Whether the buffer reaches to the end of the file."""
        self.is_unterminated = False
        """Whether the last line of the file lacks its line feed, which the buffer does not."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the rest."""
        return self

    def __next__(self) -> str:
        """Return the next line with its line feed."""
        end = self.buffer.find(b"\n", self.position)
        while end < 0 and not self.is_at_end:
            if len(self.buffer) - self.position > LONGEST_LINE:
                raise self.error(
                    f"a line of more than {LONGEST_LINE} characters",
                    field="line",
                    fix="this is no text file of that format: check what it is",
                )
            searched = len(self.buffer) - self.position
            self.fill()
            end = self.buffer.find(b"\n", self.position + searched)
        if end < 0:
            raise StopIteration
        line = self.buffer[self.position : end + 1].decode(errors="replace")
        self.position = end + 1
        self.number += 1
        return line.replace("\r\n", "\n")

    @property
    def offset(self) -> int:
        """How many bytes of the decompressed file were used."""
        return self._start + self.position

    def fill(self) -> None:
        """Read on; what was used some lines before is forgotten."""
        piece = self._stream.read(_PIECE)
        self.is_at_end = not piece
        if piece:
            used = max(self.position - KEPT, 0)
            self.buffer = self.buffer[used:] + piece
            self.position -= used
            self._start += used
        elif not self.buffer[self.position :].endswith(b"\n") and not self.is_unterminated:
            self.is_unterminated = self.position < len(self.buffer)
            self.buffer += b"\n" if self.is_unterminated else b""

    def advance(self, position: int) -> None:
        """Go on in the buffer, counting lines."""
        self.number += self.buffer.count(b"\n", self.position, position)
        self.position = position

    def require(self, field: str) -> str:
        """Return the next line without surrounding blanks.

        Raises
        ------
        DensityFormatError
            If the file ends here.
        """
        try:
            return next(self).strip()
        except StopIteration:
            raise self.error("the file ends before it", field=field, fix=COPY_ANEW) from None

    def skip_blank(self, field: str) -> str | None:
        """Return the next line that is not blank; None at the end of the file.

        Raises
        ------
        DensityFormatError
            If there are thousands of blank lines.
        """
        start = self.offset
        for line in self:
            if not line.isspace():
                return line
            if self.offset - start > LONGEST_LINE:
                raise self.error("nothing but blank lines", field=field, fix=COPY_ANEW)
        return None

    def error(self, message: str, *, field: str, fix: str) -> DensityFormatError:
        """Return an error that names this place."""
        where = f"line {self.number} ({field}), byte {self.offset}"
        return DensityFormatError(message, file=self.file, field=where, fix=fix)


@contextmanager
def open_lines(path: str | os.PathLike[str]) -> Iterator[Lines]:
    """Open a file, turning whatever is wrong with its bytes or values into a typed error.

    Raises
    ------
    DensityFormatError
        If the file is missing, unreadable, damaged or holds an impossible density.
    """
    with format_errors(path), open_binary(path) as stream:
        yield Lines(stream, str(path))


def read_numbers(lines: Lines, count: int, *, field: str) -> NDArray[np.float64]:
    """Read exactly ``count`` numbers, which begin and end at line ends.

    Returns
    -------
    (count,)
        The numbers in the order of the file.

    Raises
    ------
    DensityFormatError
        If there are fewer or more numbers, or something that is not a finite number.
    """
    block = NumberBlock(lines, count, field=field)
    numbers = block.take(count)
    block.close()
    return numbers


def format_pbc(pbc: tuple[bool, bool, bool]) -> str:
    """Return the periodic directions as a word for a comment line.

    Examples
    --------
    >>> format_pbc((True, True, False))
    'pbc=TTF'
    """
    return "pbc=" + "".join("T" if flag else "F" for flag in pbc)


def parse_pbc(comment: str) -> tuple[bool, bool, bool] | None:
    """Find what ``format_pbc`` wrote in a comment; None if it is not there."""
    found = _PBC.search(comment)
    if found is None:
        return None
    first, second, third = (letter == "T" for letter in found.groups())
    return first, second, third
