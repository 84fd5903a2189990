"""Load NumPy's ``.npy`` files without ever running what they might hold."""

from __future__ import annotations

import tokenize
from io import BytesIO
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.reading import COPY_ANEW, format_errors, read_bytes, read_start

if TYPE_CHECKING:
    import os
    from typing import IO

    from numpy.typing import NDArray

__all__ = ["NPY_SIGNATURE", "as_doubles", "load_npy", "npy_shape"]

NPY_SIGNATURE = "\x93NUMPY"
"""First bytes of every file, one character each."""

_HEADER = 2**14
_HEADER_ERRORS = (ValueError, SyntaxError, tokenize.TokenError, TypeError, MemoryError)


def load_npy(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Load an array of real numbers; plain files are mapped, compressed ones read.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or holds objects (pickles), text or complex numbers.
    """
    with format_errors(path):
        shape, dtype, offset, order = _header(path)
        expected = prod(shape) * dtype.itemsize
        if _is_plain(path):
            found = Path(path).stat().st_size - offset
            _check_size(path, found, expected)
            return np.memmap(path, dtype, mode="r", offset=offset, shape=shape, order=order)
        content = read_bytes(path)
        _check_size(path, len(content) - offset, expected)
        return np.frombuffer(content, dtype, offset=offset).reshape(shape, order=order)


def npy_shape(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the shape of an array without loading it.

    Raises
    ------
    DensityFormatError
        As ``load_npy``.
    """
    return _header(path)[0]


def as_doubles(array: NDArray[Any]) -> NDArray[np.float64]:
    """Convert real numbers to double precision, whatever bit patterns damage has left in them."""
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(array, dtype=np.float64)


def _is_plain(path: str | os.PathLike[str]) -> bool:
    with Path(path).open("rb") as stream:
        return stream.read(len(NPY_SIGNATURE)) == NPY_SIGNATURE.encode("latin-1")


def _header(path: str | os.PathLike[str]) -> tuple[tuple[int, ...], np.dtype[Any], int, Any]:
    """Return shape, type, offset of the data, and order."""
    stream = BytesIO(read_start(path, _HEADER))
    try:
        version = np.lib.format.read_magic(stream)
        shape, is_fortran, dtype = _read_header(stream, version)
    except _HEADER_ERRORS as error:
        raise DensityFormatError(
            f"is no intact npy file ({error})", file=path, fix=COPY_ANEW
        ) from error
    if dtype.hasobject:
        raise DensityFormatError(
            "holds pickled objects, which could run any program",
            file=path,
            fix="save plain numbers with allow_pickle=False",
        )
    if dtype.kind not in "fiu" or not shape or min(shape) < 1:
        raise DensityFormatError(
            f"holds {shape} of type {dtype}, expected real numbers", file=path, fix=COPY_ANEW
        )
    return shape, dtype, stream.tell(), "F" if is_fortran else "C"


def _read_header(
    stream: IO[bytes], version: tuple[int, int]
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of either version."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        message = f"version {version}"
        raise ValueError(message)
    return readers[version](stream)


def _check_size(path: str | os.PathLike[str], found: int, expected: int) -> None:
    if found != expected:
        raise DensityFormatError(
            f"holds {found} bytes of data, expected {expected}", file=path, fix=COPY_ANEW
        )
