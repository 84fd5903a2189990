from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import BlobError
from scdp_flows.stores.blobs import StoredBlob
from scdp_flows.stores.files import TEMPORARY_PREFIX
from scdp_flows.stores.folder_blobs import FolderBlobStore

if TYPE_CHECKING:
    from scdp_flows.schemas.density import BlobReference

LONG_AGO = 1_000_000_000.0


def _files(blobs: FolderBlobStore) -> list[Path]:
    return [path for path in blobs.path.rglob("*") if path.is_file()]


def _entry(reference: BlobReference) -> StoredBlob:
    return StoredBlob(reference.key, reference.compression)


@pytest.fixture
def old(blobs: FolderBlobStore) -> BlobReference:
    """Give a blob that was last used long ago."""
    reference = blobs.put(b"electrons")
    os.utime(_files(blobs)[0], (LONG_AGO, LONG_AGO))
    return reference


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("owner", "function"), [(os, "fsync"), (Path, "replace")])
def test_a_failed_write_leaves_nothing(
    blobs: FolderBlobStore, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    monkeypatch.setattr(owner, function, _fail)
    with pytest.raises(BlobError, match=r"No space left.*SCDP_STORE_PATH"):
        blobs.put(b"electrons")
    assert _files(blobs) == []


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BlobError, match=rf"{tmp_path}/file/blobs.*writable"):
        FolderBlobStore(tmp_path / "file" / "blobs").put(b"electrons")


def test_sweeping_removes_what_a_killed_writer_left(blobs: FolderBlobStore) -> None:
    reference = blobs.put(b"electrons")
    left = _files(blobs)[0].with_name(f"{TEMPORARY_PREFIX}1-dead")
    left.write_bytes(b"elec")
    assert list(blobs.iterate()) == [reference.key]
    assert blobs.sweep() == 0
    assert blobs.sweep(older_than_s=-1) == 1
    assert blobs.get(reference) == b"electrons"
    assert not left.exists()


def test_foreign_files_are_no_blobs(blobs: FolderBlobStore) -> None:
    reference = blobs.put(b"electrons")
    _files(blobs)[0].with_name("notes.txt").write_text("mine")
    assert list(blobs.entries()) == [_entry(reference)]


def test_an_unused_blob_goes_and_a_used_one_stays(
    blobs: FolderBlobStore, old: BlobReference
) -> None:
    fresh = blobs.put(b"positions")
    since = blobs.clock() - 100
    assert blobs.discard_unused(_entry(old), since=since)
    assert not blobs.discard_unused(_entry(fresh), since=since)
    assert not blobs.discard_unused(_entry(old), since=since)
    assert list(blobs.entries()) == [_entry(fresh)]


@pytest.mark.parametrize("use", ["put", "keep"])
def test_using_a_blob_saves_it_from_collection(
    blobs: FolderBlobStore, old: BlobReference, use: str
) -> None:
    if use == "put":
        assert blobs.put(b"electrons") == old
    else:
        blobs.keep(old)
    assert not blobs.discard_unused(_entry(old), since=blobs.clock() - 100)


def test_a_writer_between_the_two_looks_of_a_collection_wins(
    blobs: FolderBlobStore, old: BlobReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def use_then_rename(self: Path, target: Path) -> Path:
        blobs.keep(old)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", use_then_rename)
    assert not blobs.discard_unused(_entry(old), since=blobs.clock() - 100)
    assert blobs.get(old) == b"electrons"


def test_a_writer_that_finds_it_set_aside_writes_it_again(
    blobs: FolderBlobStore, old: BlobReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def write_then_unlink(self: Path, *, missing_ok: bool = False) -> None:
        if not self.name.startswith(TEMPORARY_PREFIX):
            assert blobs.put(b"electrons") == old
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", write_then_unlink)
    assert blobs.discard_unused(_entry(old), since=blobs.clock() - 100)
    assert blobs.get(old) == b"electrons"


def test_what_a_killed_collection_set_aside_comes_back(
    blobs: FolderBlobStore, old: BlobReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _files(blobs)[0]
    file.rename(file.with_name(f".removing-{file.name}"))
    with pytest.raises(BlobError, match="is not in"):
        blobs.get(old)
    assert blobs.sweep() == 1
    assert blobs.get(old) == b"electrons"
