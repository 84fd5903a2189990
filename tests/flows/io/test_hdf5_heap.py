"""Heaps of HDF5 files on which the library would work forever are told from sound ones."""

from __future__ import annotations

import struct

import pytest

from scdp_flows.io.hdf5_heap import heap_problem


def _heap(*objects: tuple[int, int], size: int = 4096) -> memoryview:
    """Give bytes before a heap, the heap, and bytes behind."""
    content = bytearray(b"GCOL\1\0\0\0" + struct.pack("<Q", size))
    for index, length in objects:
        content += struct.pack("<HHIQ", index, 1, 0, length)
        content += bytes(min(4096, -(-length // 8) * 8 if index else max(length - 16, 0)))
    return memoryview(bytes(100) + content.ljust(4096, b"\0") + b"behind")


@pytest.mark.parametrize(
    "objects", [[(1, 20), (0, 4040)], [(1, 8), (2, 4032)], [(1, 4064)], [(1, 4056)]]
)
def test_sound_heaps(objects: list[tuple[int, int]]) -> None:
    assert heap_problem(_heap(*objects)) is None
    assert heap_problem(memoryview(b"no heap at all")) is None


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([(1, 20), (0, 0)], "byte 156: an object of 0 bytes"),
        ([(1, 2**40)], "byte 116: an object of 1099511627776 bytes"),
        ([(1, 2**64 - 8)], "byte 116: an object"),
        ([(0, 5000)], "an object of 5000 bytes in a heap that ends at 4196"),
    ],
)
def test_objects_that_lead_nowhere(objects: list[tuple[int, int]], why: str) -> None:
    assert why in str(heap_problem(_heap(*objects)))


@pytest.mark.parametrize("size", [0, 8, 2**63])
def test_heaps_longer_than_the_file(size: int) -> None:
    assert "byte 100: the heap ends" in str(heap_problem(_heap((1, 8), size=size)))
