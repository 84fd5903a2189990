"""Check where HDF5 files keep texts of any length, on whose damage the library never returns.

The layout is that of "global heap" in the HDF5 file format specification, version 1: 16 bytes of
header, then objects of 16 bytes and their padded content; index 0 is what is left free.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["attribute_problem", "heap_problem"]

_HEAP = re.compile(rb"GCOL\x01\0\0\0(.{8})", re.DOTALL)
_HEADER_BYTES = 16
_OBJECT = struct.Struct("<HH4xQ")
# Of an element: its length, the place of its heap and its index there.
_ELEMENT_BYTES = 16
# Between the name of an attribute and its elements: their type and shape.
_LONGEST_DESCRIPTION = 1024
_MOST_PLACES = 10_000


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


def attribute_problem(content: mmap.mmap | memoryview, name: str, count: int) -> str | None:
    """Say what is wrong with the lengths that an attribute states, None if nothing is.

    The library makes memory of that length before it looks into the heap. Where an attribute
    stands it does not say, so each place with its name is looked at.

    Parameters
    ----------
    content
        The whole file.
    name
        Name of the attribute.
    count
        Number of its elements.
    """
    heaps = [found.start() for found in _HEAP.finditer(content)]
    reach = _LONGEST_DESCRIPTION + count * _ELEMENT_BYTES
    for number, found in enumerate(re.finditer(re.escape(name.encode()) + rb"\0", content)):
        if number == _MOST_PLACES:
            return f"its name stands at more than {_MOST_PLACES} places"
        window = bytes(content[found.end() : found.end() + reach])
        length = max(_stated_lengths(window, heaps), default=0)
        if length > len(content):
            return f"byte {found.end()}: a text of {length} bytes in a file of {len(content)}"
    return None


def _stated_lengths(content: bytes, heaps: list[int]) -> Iterator[int]:
    """Yield the numbers that stand before references to a heap, at whatever byte they begin."""
    for start in range(4, 12):
        places = np.frombuffer(content[start : start + (len(content) - start) // 8 * 8], "<u8")
        for place in start + 8 * np.flatnonzero(np.isin(places, heaps)):
            yield int.from_bytes(content[place - 4 : place], "little")
