"""Open HDF5 files, of which several formats are made, with typed errors."""

from __future__ import annotations

import mmap
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.hdf5_heap import attribute_problem, heap_problem
from scdp_flows.io.reading import COPY_ANEW, format_errors, read_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["HDF5_SIGNATURE", "Hdf5File", "holds", "open_hdf5"]

HDF5_SIGNATURE = "\x89HDF\r\n\x1a\n"
"""First bytes of every HDF5 and netCDF-4 file, one character each."""

# A grid that is packed a thousand times smaller than its numbers holds nothing but zeros.
_LARGEST_PACKING = 1000
_LARGEST_NUMBER_BYTES = 2**34

# What h5py raises on damaged files, beside OSError.
_H5PY_ERRORS = (RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)


class Hdf5File:
    """Read arrays and attributes of an open file, each by its path inside."""

    def __init__(self, root: Any, file: str, source: str | BytesIO) -> None:
        self._root = root
        self._source = source
        self._size = (
            Path(file).stat().st_size if isinstance(source, str) else source.getbuffer().nbytes
        )
        self._heaps_are_sound = False
        self.file = file

    def __contains__(self, name: str) -> bool:
        """Tell whether there is something of that name."""
        return name in self._root

    def array(self, name: str, dtype: str = "f8") -> NDArray[Any]:
        """Return a data set as numbers of a type.

        Raises
        ------
        DensityFormatError
            If there is none, it holds no numbers, or it would fill the memory.
        """
        found = self._dataset(name)
        if found.dtype.kind not in "biuf":
            raise self.error(f"holds {found.dtype}, expected numbers", field=name)
        n_bytes = int(np.prod(found.shape, dtype=object)) * np.dtype(dtype).itemsize
        if n_bytes > min(_LARGEST_NUMBER_BYTES, _LARGEST_PACKING * self._size):
            raise self.error(
                f"announces {n_bytes} bytes in a file of {self._size}; no density is packed so "
                "tightly",
                field=name,
            )
        with np.errstate(invalid="ignore"):
            return np.asarray(found[()], dtype=dtype)

    def text(self, name: str) -> str:
        """Return a data set that holds one text.

        Raises
        ------
        DensityFormatError
            If there is none or it is no text.
        """
        found = self._dataset(name)
        if found.shape != () or found.dtype.kind not in "OS":
            raise self.error(f"holds {found.dtype} {found.shape}, expected one text", field=name)
        self._check_size(found.dtype.itemsize, name)
        if found.dtype.kind == "O":
            self._check_heaps(name)
            self._check_length(found.id.get_offset(), name)
        value = found[()]
        if not isinstance(value, bytes):
            raise self.error(f"holds {type(value).__name__}, expected text", field=name)
        return value.decode("utf-8", errors="replace")

    def attribute(self, name: str, key: str) -> Any:
        """Return an attribute, None if there is none."""
        if name not in self._root or key not in self._root[name].attrs:
            return None
        found, field = self._root[name].attrs.get_id(key), f"{name}.{key}"
        count = int(np.prod(found.shape, dtype=object))
        self._check_size(count * found.dtype.itemsize, field)
        if found.dtype.hasobject:
            self._check_heaps(field)
            with self._content() as content:
                problem = attribute_problem(content, key, count)
            if problem is not None:
                raise self.error(problem, field=field)
        return self._root[name].attrs[key]

    def names(self, name: str = "/") -> list[str]:
        """Return what a group holds; nothing if it is no group."""
        found = self._root.get(name)
        return sorted(found) if hasattr(found, "keys") else []

    def error(self, message: str, *, field: str, fix: str = COPY_ANEW) -> DensityFormatError:
        """Return an error that names a part of this file."""
        return DensityFormatError(message, file=self.file, field=field, fix=fix)

    def _check_size(self, n_bytes: int, name: str) -> None:
        """Refuse what is never packed and yet larger than the file, before memory is made."""
        if n_bytes > self._size:
            raise self.error(f"announces {n_bytes} bytes in a file of {self._size}", field=name)

    def _check_heaps(self, name: str) -> None:
        """Refuse to read what lies in a damaged heap, which the library does forever."""
        if self._heaps_are_sound:
            return
        with self._content() as content:
            problem = heap_problem(content)
        if problem is not None:
            raise self.error(problem, field=name)
        self._heaps_are_sound = True

    def _check_length(self, place: int | None, name: str) -> None:
        """Refuse a text of any length that is longer than the file, before memory is made."""
        with self._content() as content:
            start = self._size if place is None else place
            length = int.from_bytes(content[start : start + 4], "little")
            if not 0 < length <= self._size:
                raise self.error(f"a text of {length} bytes in a file of {self._size}", field=name)

    @contextmanager
    def _content(self) -> Iterator[mmap.mmap | memoryview]:
        """Give the bytes of the file without reading them."""
        if isinstance(self._source, BytesIO):
            with self._source.getbuffer() as buffer:
                yield buffer
            return
        with (
            Path(self._source).open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            yield content

    def _dataset(self, name: str) -> Any:
        found = self._root.get(name)
        # A named type has a dtype as well, but no shape.
        if not hasattr(found, "shape"):
            raise self.error(
                f"is missing; the file holds {', '.join(self.names()) or 'nothing'}", field=name
            )
        return found


@contextmanager
def open_hdf5(path: str | os.PathLike[str]) -> Iterator[Hdf5File]:
    """Open a file, also compressed as a whole.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, also where that shows only while it is read.
    """
    # Takes a tenth of a second to load, which those who read text need not wait for.
    import h5py

    with format_errors(path):
        try:
            with Path(path).open("rb") as stream:
                is_plain = stream.read(8) == HDF5_SIGNATURE.encode("latin-1")
            # The library seeks, which is slow in compressed streams.
            source: Any = str(path) if is_plain else BytesIO(read_bytes(path))
            with h5py.File(source, "r") as root:
                yield Hdf5File(root, str(path), source)
        except DensityError:
            raise
        except _H5PY_ERRORS as error:
            raise DensityFormatError(
                f"is no intact HDF5 file ({error})", file=path, fix=COPY_ANEW
            ) from error


def holds(path: str | os.PathLike[str], *names: str) -> bool:
    """Tell whether a file is HDF5 and holds data sets or groups of all these names."""
    try:
        with open_hdf5(path) as file:
            return all(name in file for name in names)
    except DensityFormatError:
        return False
