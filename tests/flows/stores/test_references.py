from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.schemas.density import BlobReference
from scdp_flows.stores.references import (
    all_collections,
    blob_references,
    documents_with_references,
)
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores

REFERENCE = BlobReference(key="0" * 64, size=3, compression="zstd", media="bytes")


def test_references_are_found_at_any_depth_and_nothing_else() -> None:
    row = REFERENCE.to_dict()
    content = {"a": [{"b": row}, {"key": "x", "size": 1, "compression": "zstd", "media": "bytes"}]}
    assert list(blob_references(content)) == [REFERENCE]
    assert list(blob_references({"c": {**row, "@class": "BlobReference"}})) == [REFERENCE]
    assert list(blob_references({"key": "k", "n": [1, "two", None]})) == []


def test_every_document_of_a_store_is_read(stores: Stores, dataset: DatasetDoc) -> None:
    found = list(documents_with_references(stores))
    assert len(found) == 5
    assert {ref.key for _, _, refs in found for ref in refs} == set(stores.blobs.iterate())
    assert dataset.shards[0] in [ref for _, _, refs in found for ref in refs]


def test_collections_of_others_in_our_files_are_read_too(stores: Stores) -> None:
    with SqliteStore(stores.path / "jobs.sqlite", "outputs", key="uuid") as others:
        others.update({"uuid": "a", "output": {"blob": REFERENCE.to_dict()}})
    assert "outputs" in {getattr(store, "collection_name", "") for store in all_collections(stores)}
    assert [refs for _, _, refs in documents_with_references(stores)] == [[REFERENCE]]
