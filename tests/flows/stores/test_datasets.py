from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.errors import BlobError, DatasetError, UnknownNameError
from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.schemas.provenance import Provenance
from scdp_flows.stores.datasets import DatasetStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from scdp_flows.stores.folder_blobs import FolderBlobStore
    from scdp_flows.stores.sqlite import SqliteStore


@pytest.fixture
def datasets(sqlite_store: SqliteStore, blobs: FolderBlobStore) -> DatasetStore:
    """Give an empty store."""
    return DatasetStore(sqlite_store, blobs)


@pytest.fixture
def dataset_doc(example: Callable[[str], dict[str, Any]]) -> DatasetDoc:
    """Give a dataset that is not stored yet."""
    return DatasetDoc.model_validate(example("dataset")).updated(shards=[])


def _shards(number: int) -> Iterator[dict[str, NDArray[Any]]]:
    for n in range(number):
        yield {"targets": np.full(4, float(n))}


def test_shards_come_back_in_order(datasets: DatasetStore, dataset_doc: DatasetDoc) -> None:
    datasets.put(dataset_doc, _shards(3))
    found = datasets.get(dataset_doc.dataset_id)
    assert [shard["targets"][0] for shard in datasets.iterate_shards(found)] == [0.0, 1.0, 2.0]
    assert found.updated(shards=[]) == dataset_doc


def test_putting_again_changes_nothing(datasets: DatasetStore, dataset_doc: DatasetDoc) -> None:
    first = datasets.put(dataset_doc, _shards(2))
    assert datasets.put(first, _shards(2)) == first
    assert datasets.put(first) == first
    assert [doc.dataset_id for doc in datasets.query({"name": "water"})] == [first.dataset_id]


def test_a_name_means_the_newest(datasets: DatasetStore, dataset_doc: DatasetDoc) -> None:
    datasets.put(dataset_doc)
    newer = dataset_doc.updated(
        target={}, dataset_id=DatasetDoc.make_id(dataset_doc.members, {})
    ).updated(provenance=Provenance.collect())
    stored = datasets.put(newer)
    assert (
        datasets.get("water") == stored == newer.updated(version=2, previous=dataset_doc.dataset_id)
    )
    with pytest.raises(UnknownNameError, match=r"'wtaer'.*water"):
        datasets.get("wtaer")


def test_a_missing_shard_is_counted(datasets: DatasetStore, dataset_doc: DatasetDoc) -> None:
    stored = datasets.put(dataset_doc, _shards(1))
    with pytest.raises(DatasetError, match="has 1 shards and shard 1"):
        datasets.load_shard(stored, 1)


def test_a_failing_generator_leaves_no_document(
    datasets: DatasetStore, dataset_doc: DatasetDoc
) -> None:
    def broken() -> Iterator[dict[str, NDArray[Any]]]:
        yield from _shards(1)
        raise DatasetError("no more samples")

    with pytest.raises(DatasetError, match="no more"):
        datasets.put(dataset_doc, broken())
    assert list(datasets.query()) == []


def test_a_dataset_that_was_trained_on_is_fixed(
    sqlite_store: SqliteStore, blobs: FolderBlobStore, dataset_doc: DatasetDoc
) -> None:
    users: list[str] = []
    datasets = DatasetStore(sqlite_store, blobs, users=lambda _: users)
    stored = datasets.put(dataset_doc)
    datasets.put(stored.updated(query={"tags": "mine"}))
    users.append("my model")
    with pytest.raises(DatasetError, match=r"is fixed, because my model .* and query would"):
        datasets.put(stored)
    with pytest.raises(DatasetError, match="stays: my model"):
        datasets.remove(stored)
    assert datasets.put(stored.updated(query={"tags": "mine"}, name="renamed")).name == "renamed"
    users.clear()
    datasets.remove(stored)
    assert list(datasets.query()) == []


def test_a_dataset_without_its_shards_is_not_stored(
    datasets: DatasetStore, dataset_doc: DatasetDoc
) -> None:
    stored = datasets.put(dataset_doc, _shards(1))
    blobs = datasets.blobs
    blobs.discard(stored.shards[0])
    with pytest.raises(BlobError, match="is not in"):
        datasets.put(stored)
