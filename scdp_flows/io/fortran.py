"""Read and write the sequential unformatted files of Fortran programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.reading import COPY_ANEW, read_bytes

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["FortranRecords", "fortran_record"]

_MARKER = 4


class FortranRecords:
    """Iterate over the records of a file: each stands between two copies of its length.

    Parameters
    ----------
    path
        The file, also compressed; little-endian, with markers of four bytes.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.file = str(path)
        self._content = read_bytes(path)
        self._offset = 0

    @property
    def at_end(self) -> bool:
        """Whether every byte of the file has been read."""
        return self._offset >= len(self._content)

    def next_bytes(self, field: str) -> bytes:
        """Return the next record.

        Raises
        ------
        DensityFormatError
            If the file ends within it, or its two lengths differ.
        """
        start = self._offset + _MARKER
        length = self._length(self._offset)
        end = start + length
        if length < 0 or end + _MARKER > len(self._content) or self._length(end) != length:
            raise self.error(
                f"the record at byte {self._offset} should hold {length} bytes and is cut or "
                f"damaged (the file has {len(self._content)} bytes)",
                field=field,
            )
        self._offset = end + _MARKER
        return self._content[start:end]

    def next_array(self, dtype: str, count: int, field: str) -> NDArray[np.generic]:
        """Return the next record as numbers, of which there must be so many.

        Raises
        ------
        DensityFormatError
            If there are more or fewer, or the record is damaged.
        """
        content = self.next_bytes(field)
        wanted = count * np.dtype(dtype).itemsize
        if len(content) != wanted:
            raise self.error(f"holds {len(content)} bytes, expected {wanted}", field=field)
        return np.frombuffer(content, dtype=dtype)

    def error(self, message: str, *, field: str, fix: str = COPY_ANEW) -> DensityFormatError:
        """Return an error that names a record of this file."""
        return DensityFormatError(message, file=self.file, field=field, fix=fix)

    def _length(self, offset: int) -> int:
        """Return the marker at an offset, -1 beyond the end."""
        marker = self._content[offset : offset + _MARKER]
        return int.from_bytes(marker, "little", signed=True) if len(marker) == _MARKER else -1


def fortran_record(values: NDArray[np.generic]) -> bytes:
    """Return an array as one record: its bytes between two copies of their number."""
    content = values.tobytes()
    marker = len(content).to_bytes(_MARKER, "little", signed=True)
    return marker + content + marker
