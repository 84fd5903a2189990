"""HDF5 files are opened with typed errors and bounded memory."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.hdf5 import holds, open_hdf5

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with numbers, a text and an attribute."""
    with h5py.File(tmp_path / "x.h5", "w") as root:
        root["a/b"] = np.arange(3)
        root["text"] = "words"
        root["type"] = np.dtype("f8")
        root["a"].attrs["unit"] = 2.0
        root["a"].attrs["names"] = ["one", "other"]
    return tmp_path / "x.h5"


@pytest.mark.parametrize("is_packed", [False, True])
def test_arrays_texts_and_attributes(file: Path, is_packed: bool) -> None:
    if is_packed:
        file.write_bytes(gzip.compress(file.read_bytes()))
    with open_hdf5(file) as opened:
        assert opened.array("a/b").tolist() == [0.0, 1.0, 2.0]
        assert opened.text("text") == "words"
        assert (opened.attribute("a", "unit"), opened.attribute("a", "no")) == (2.0, None)
        assert (opened.names("a"), opened.names("a/b")) == (["b"], [])
    assert holds(file, "a/b", "text")
    assert not holds(file, "c")


@pytest.mark.parametrize("name", ["c", "a", "text", "type"])
def test_what_is_no_array_is_named(file: Path, name: str) -> None:
    with open_hdf5(file) as opened, pytest.raises(DensityFormatError, match=f"x.h5, {name}"):
        opened.array(name)


@pytest.mark.parametrize("name", ["c", "a", "a/b", "type"])
def test_what_is_no_text_is_named(file: Path, name: str) -> None:
    with open_hdf5(file) as opened, pytest.raises(DensityFormatError, match=f"x.h5, {name}"):
        opened.text(name)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as root:
        root.create_dataset("a", (2**15, 2**15, 8), "f8", chunks=(64, 64, 8), compression="gzip")
    with open_hdf5(tmp_path / "x.h5") as opened, pytest.raises(DensityFormatError, match="packed"):
        opened.array("a")


@pytest.mark.parametrize(
    ("place", "why"), [(0, "a text of 4294967295 bytes"), (16, ".*the heap ends")]
)
def test_a_text_on_which_the_library_hangs(file: Path, place: int, why: str) -> None:
    with h5py.File(file) as root:
        reference = root["text"].id.get_offset()
    content = bytearray(file.read_bytes())
    heap = int.from_bytes(content[reference + 4 : reference + 12], "little")
    start = reference if place == 0 else heap + 8
    content[start : start + 4] = b"\xff" * 4
    file.write_bytes(content)
    with open_hdf5(file) as opened, pytest.raises(DensityFormatError, match=rf"text: {why}"):
        opened.text("text")


@pytest.mark.parametrize("element", [0, 1])
def test_a_text_attribute_that_would_fill_the_memory(file: Path, element: int) -> None:
    with open_hdf5(file) as opened:
        assert list(opened.attribute("a", "names")) == ["one", "other"]
    content = bytearray(file.read_bytes())
    heap = content.index(b"GCOL").to_bytes(8, "little")
    place = content.index(heap, content.index(b"names\0")) + 16 * element
    content[place - 4 : place] = (2**31).to_bytes(4, "little")
    file.write_bytes(content)
    with (
        open_hdf5(file) as opened,
        pytest.raises(DensityFormatError, match=r"a\.names: byte .*214"),
    ):
        opened.attribute("a", "names")


def test_texts_in_the_fields_of_a_type_are_not_read_from_a_damaged_heap(file: Path) -> None:
    row = np.array([(1, "one")], [("number", "i4"), ("name", h5py.string_dtype())])
    with h5py.File(file, "a") as root:
        root["a"].attrs["row"] = row
    content = bytearray(file.read_bytes())
    for found in re.finditer(b"GCOL", bytes(content)):
        content[found.start() + 8 : found.start() + 12] = b"\xff" * 4
    file.write_bytes(content)
    with open_hdf5(file) as opened, pytest.raises(DensityFormatError, match=r"a\.row: .*heap ends"):
        opened.attribute("a", "row")
