from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import BlobError
from scdp_flows.stores.blobs import StoredBlob
from scdp_flows.stores.maggma_blobs import MaggmaBlobStore

if TYPE_CHECKING:
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.sqlite import SqliteStore


@pytest.fixture
def blobs(sqlite_store: SqliteStore) -> MaggmaBlobStore:
    """Give an empty store of blobs in SQLite."""
    sqlite_store.key = "blob_key"
    return MaggmaBlobStore(sqlite_store)


@pytest.fixture
def old(blobs: MaggmaBlobStore) -> BlobReference:
    """Give a blob that was last used long ago."""
    reference = blobs.put(b"electrons")
    row = blobs.store.query_one({})
    blobs.store.update(row | {"used_at": 1e9}, key="blob_key")
    return reference


def _entry(reference: BlobReference) -> StoredBlob:
    return StoredBlob(reference.key, reference.compression)


def test_an_unused_blob_goes_and_a_used_one_stays(
    blobs: MaggmaBlobStore, old: BlobReference
) -> None:
    fresh = blobs.put(b"positions")
    assert {blob.key for blob in blobs.entries()} == {old.key, fresh.key}
    since = blobs.clock() - 100
    assert blobs.discard_unused(_entry(old), since=since)
    assert not blobs.discard_unused(_entry(fresh), since=since)
    assert list(blobs.entries()) == [_entry(fresh)]


@pytest.mark.parametrize("use", ["put", "keep"])
def test_using_a_blob_saves_it_from_collection(
    blobs: MaggmaBlobStore, old: BlobReference, use: str
) -> None:
    if use == "put":
        assert blobs.put(b"electrons") == old
    else:
        blobs.keep(old)
    assert not blobs.discard_unused(_entry(old), since=blobs.clock() - 100)
    assert blobs.get(old) == b"electrons"


def test_a_missing_blob_cannot_be_kept(blobs: MaggmaBlobStore, old: BlobReference) -> None:
    blobs.discard(old)
    assert not blobs.has(old)
    with pytest.raises(BlobError, match="is not in sqlite"):
        blobs.keep(old)
