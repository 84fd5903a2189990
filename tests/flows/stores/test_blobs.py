from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import BlobError
from scdp_flows.schemas.density import BlobReference
from scdp_flows.stores.folder_blobs import FolderBlobStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike

GRID = np.exp(-np.linspace(0, 5, 120, dtype=np.float32)).reshape(4, 5, 6)


def _files(blobs: FolderBlobStore) -> list[Path]:
    return [path for path in blobs.path.rglob("*") if path.is_file()]


def test_a_blob_is_a_file_named_by_its_checksum(blobs: FolderBlobStore) -> None:
    reference = blobs.put(b"electrons")
    assert reference.key == hashlib.sha256(b"electrons").hexdigest()
    (file,) = _files(blobs)
    assert file.relative_to(blobs.path).parts[:2] == (reference.key[:2], reference.key[2:4])
    assert file.name == f"{reference.key}.{reference.compression}"


@pytest.mark.parametrize(
    ("array", "codec"),
    [(GRID, "shuffle4-zstd"), (GRID.astype(float), "shuffle8-zstd"), (GRID > 1, "zstd")],
)
def test_the_codec_fits_the_numbers(blobs: FolderBlobStore, array: ArrayLike, codec: str) -> None:
    assert blobs.put_arrays({"values": np.asarray(array)}).compression == codec


def test_order_and_byte_order_in_memory_do_not_matter(blobs: FolderBlobStore) -> None:
    plain = blobs.put_arrays({"values": GRID})
    assert blobs.put_arrays({"values": np.asfortranarray(GRID)}) == plain
    assert blobs.put_arrays({"values": GRID.astype(">f4")}) == plain
    np.testing.assert_array_equal(blobs.get_arrays(plain)["values"], GRID)


@pytest.mark.parametrize("array", [np.array([object()]), np.array(["a"]), np.array([1j])])
def test_what_is_no_number_is_refused(blobs: FolderBlobStore, array: ArrayLike) -> None:
    with pytest.raises(BlobError, match="array 'values' has dtype"):
        blobs.put_arrays({"values": np.asarray(array)})
    assert _files(blobs) == []


@pytest.mark.parametrize("damage", ["flipped", "truncated", "emptied"])
def test_damage_is_noticed_and_putting_again_repairs_it(
    blobs: FolderBlobStore, damage: str
) -> None:
    reference = blobs.put_arrays({"values": GRID})
    (file,) = _files(blobs)
    data = file.read_bytes()
    flipped = data[:20] + bytes([data[20] ^ 1]) + data[21:]
    file.write_bytes({"flipped": flipped, "truncated": data[:-9], "emptied": b""}[damage])
    with pytest.raises(BlobError, match=rf"{reference.key} .* is damaged.*make its document anew"):
        blobs.get_arrays(reference)
    assert blobs.put_arrays({"values": GRID}) == reference
    np.testing.assert_array_equal(blobs.get_arrays(reference)["values"], GRID)


def test_another_content_under_the_same_name_is_noticed(blobs: FolderBlobStore) -> None:
    first, second = blobs.put(b"first"), blobs.put(b"other")
    one, two = (blobs._file(r.key, r.compression) for r in (first, second))
    two.replace(one)
    with pytest.raises(BlobError, match="checksum"):
        blobs.get(first)


def test_bytes_are_no_arrays(blobs: FolderBlobStore) -> None:
    reference = blobs.put(b"electrons")
    with pytest.raises(BlobError, match="holds bytes"):
        blobs.get_arrays(reference)
    with pytest.raises(BlobError, match="no arrays in it"):
        blobs.get_arrays(reference.updated(media="arrays"))


def test_too_much_is_refused_before_it_is_written_or_read(tmp_path: Path) -> None:
    small = FolderBlobStore(tmp_path / "small", max_bytes=100)
    with pytest.raises(BlobError, match="101 bytes, more than the 100"):
        small.put(bytes(101))
    assert _files(small) == []
    huge = BlobReference(key="0" * 64, size=10**15, compression="zlib", media="bytes")
    with pytest.raises(BlobError, match="max_bytes"):
        small.get(huge)


def test_packed_blobs_move_between_stores_and_are_checked(
    blobs: FolderBlobStore, tmp_path: Path
) -> None:
    reference = blobs.put_arrays({"values": GRID})
    packed = blobs.get_packed(reference)
    other = FolderBlobStore(tmp_path / "other")
    with pytest.raises(BlobError, match="damaged"):
        other.put_packed(reference, packed[:-3])
    assert not other.has(reference)
    assert other.put_packed(reference, packed) == reference
    np.testing.assert_array_equal(other.get_arrays(reference)["values"], GRID)
