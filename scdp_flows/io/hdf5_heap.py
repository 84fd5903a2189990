"""Check where HDF5 files keep texts of any length, on whose damage the library never returns.

The layout is that of "global heap" in the HDF5 file format specification, version 1: 16 bytes of
header, then objects of 16 bytes and their padded content; index 0 is what is left free.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap

__all__ = ["heap_problem"]

_HEAP = re.compile(rb"GCOL\x01\0\0\0(.{8})", re.DOTALL)
_HEADER_BYTES = 16
_OBJECT = struct.Struct("<HH4xQ")


def heap_problem(content: mmap.mmap | memoryview) -> str | None:
    """Say what is wrong with the heaps of a file, None if nothing is.

    Parameters
    ----------
    content
        The whole file.
    """
    for found in _HEAP.finditer(content):
        start = found.start()
        end = start + int.from_bytes(found[1], "little")
        if not start + _HEADER_BYTES <= end <= len(content):
            return f"byte {start}: the heap ends at byte {end} of {len(content)}"
        place = start + _HEADER_BYTES
        while place + _OBJECT.size <= end:
            index, _, size = _OBJECT.unpack_from(content, place)
            # What is free counts its own header, and the library steps by that.
            step = size if index == 0 else _OBJECT.size + -(-size // 8) * 8
            if step < _OBJECT.size or place + step > end:
                return f"byte {place}: an object of {size} bytes in a heap that ends at {end}"
            place += step
    return None
