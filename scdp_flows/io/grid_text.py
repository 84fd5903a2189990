"""Read and write long runs of numbers in text files, in bounded memory."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.compression import DECODE_ERRORS, open_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = [
    "Lines",
    "format_pbc",
    "open_lines",
    "parse_pbc",
    "read_head",
    "read_numbers",
    "write_numbers",
]

_LINES_AT_A_TIME = 20_000
_NUMBERS_AT_A_TIME = 60_000
_LARGEST_GRID = 2**31
_HEAD_LENGTH = 4096

# Fortran leaves out the E where the exponent has three digits: 0.12345678901-102.
_EXPONENT_WITHOUT_E = re.compile(r"^([+-]?\d*\.\d*)([+-]\d{3})$")
_PBC = re.compile(r"\bpbc=([TF])([TF])([TF])\b")


class Lines:
    """Iterate over the lines of a file, counting them."""

    def __init__(self, stream: IO[str], file: str) -> None:
        self._stream = stream
        self.file = file
        self.number = 0
        """Number of the last line read, from 1."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the rest."""
        return self

    def __next__(self) -> str:
        """Return the next line with its line feed."""
        line = next(self._stream)
        self.number += 1
        return line

    def head(self) -> str:
        """Return the next few thousand characters, without counting their lines."""
        return self._stream.read(_HEAD_LENGTH)

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
            raise self.error("the file ends before it", field=field, fix=_COPY_ANEW) from None

    def error(self, message: str, *, field: str, fix: str) -> DensityFormatError:
        """Return an error that names this place."""
        where = f"line {self.number} ({field})"
        return DensityFormatError(message, file=self.file, field=where, fix=fix)


_COPY_ANEW = "the file is incomplete: copy it anew or repeat the calculation"


@contextmanager
def open_lines(path: str | os.PathLike[str]) -> Iterator[Lines]:
    """Open a file, turning whatever is wrong with its bytes or values into a typed error.

    Raises
    ------
    DensityFormatError
        If the file is missing, unreadable, damaged or holds an impossible density.
    """
    try:
        with open_text(path) as stream:
            yield Lines(stream, str(path))
    except FileNotFoundError:
        raise DensityFormatError("no such file", file=path, fix="check the path") from None
    except DECODE_ERRORS as error:
        raise DensityFormatError(
            f"cannot be read ({error})", file=path, fix="the file is damaged or not permitted"
        ) from error
    except DensityFormatError:
        raise
    except DensityError as error:
        raise DensityFormatError(str(error), file=path) from error


def read_head(path: str | os.PathLike[str]) -> str:
    """Return the first few thousand characters of a file.

    Raises
    ------
    DensityFormatError
        As ``open_lines``.
    """
    with open_lines(path) as lines:
        return lines.head()


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
    if not 0 < count < _LARGEST_GRID:
        raise lines.error(f"{count} values are announced", field=field, fix="correct the header")
    numbers = np.empty(count)
    filled, longest = 0, 1
    tail: list[str] = []
    while filled < count:
        # No line is longer than the longest so far (the first one, in practice), hence these
        # lines cannot reach beyond the end of the block.
        wanted = 1 if filled == 0 else min(-(-(count - filled) // longest), _LINES_AT_A_TIME)
        chunk = list(islice(lines, wanted))
        if not chunk:
            raise lines.error(f"{filled} of {count} values", field=field, fix=_COPY_ANEW)
        values = _parse(chunk, lines, field)
        if filled + len(values) > count:
            raise lines.error(
                f"more than the {count} values of the header", field=field, fix="correct the header"
            )
        numbers[filled : filled + len(values)] = values
        filled += len(values)
        longest, tail = max(longest, len(chunk[0].split())), (tail + chunk)[-2:]
    if _is_cut(tail):
        raise lines.error(f"the last number of {tail[-1]!r} is cut", field=field, fix=_COPY_ANEW)
    return numbers


def _parse(chunk: list[str], lines: Lines, field: str) -> NDArray[np.float64]:
    """Convert lines to numbers; the slow way only if the fast one fails."""
    text = "".join(chunk)
    if text.isspace():  # fromstring would return -1
        return np.empty(0)
    try:
        with warnings.catch_warnings():
            # NumPy below 2.3 warns where later ones raise.
            warnings.simplefilter("error", DeprecationWarning)
            values: NDArray[np.float64] = np.fromstring(text, sep=" ")
    except (ValueError, DeprecationWarning):
        return _parse_slowly(chunk, lines, field)
    return values if np.isfinite(values).all() else _parse_slowly(chunk, lines, field)


def _parse_slowly(chunk: list[str], lines: Lines, field: str) -> NDArray[np.float64]:
    """Convert token by token, naming what is not a finite number."""
    first_line = lines.number - len(chunk) + 1
    values = []
    for offset, line in enumerate(chunk):
        for token in line.split():
            try:
                value = float(_EXPONENT_WITHOUT_E.sub(r"\1E\2", token))
            except ValueError:
                value = np.nan
            if not np.isfinite(value) or "_" in token:  # Python reads 1_0 as ten
                raise DensityFormatError(
                    f"{token!r} is not a finite number",
                    file=lines.file,
                    field=f"line {first_line + offset} ({field})",
                    fix="the value overflowed its columns, or the file is damaged: write it anew",
                )
            values.append(value)
    return np.array(values)


def _is_cut(tail: list[str]) -> bool:
    """Tell from its last two lines whether a file of fixed columns ends within a number."""
    if tail[-1].endswith("\n"):
        return False
    *others, last = (len(token.lstrip("+-")) for token in " ".join(tail).split())
    return len(set(others)) == 1 and last < others[0]


def write_numbers(
    stream: IO[str],
    values: NDArray[np.floating],
    *,
    number_format: str,
    per_line: int,
    row: int | None = None,
    factor: float = 1.0,
) -> None:
    """Write the numbers of an array in C order.

    Parameters
    ----------
    stream
        Where to.
    values
        Any shape; the last index runs fastest.
    number_format
        A ``%`` format that separates numbers by a blank.
    per_line
        Numbers on one line.
    row
        Begin a new line after so many numbers, too; default: never.
    factor
        Multiplies all numbers.
    """
    period = row or per_line
    pattern = _line_pattern(period, per_line, number_format)
    periods = max(_NUMBERS_AT_A_TIME // period, 1)
    for block in _blocks(values, periods * period):
        whole, rest = divmod(len(block), period)
        text = pattern * whole + _line_pattern(rest, per_line, number_format)
        stream.write(text % tuple((block * factor).tolist()))


def _line_pattern(count: int, per_line: int, number_format: str) -> str:
    """Return the format of so many numbers, beginning and ending at line ends."""
    lengths = [per_line] * (count // per_line) + ([count % per_line] if count % per_line else [])
    return "".join(number_format * length + "\n" for length in lengths)


def _blocks(values: NDArray[np.floating], size: int) -> Iterator[NDArray[np.float64]]:
    """Yield the flattened array in pieces of one size, copying no more than one piece."""
    flat = values.flat
    for start in range(0, values.size, size):
        yield np.asarray(flat[start : start + size], dtype=np.float64)


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
