"""Keep datasets: a document each, and packed samples as blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DatasetError
from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from maggma.core import Store
    from numpy.typing import NDArray

    from scdp_flows.stores.blobs import BlobStore

__all__ = ["DatasetStore"]

Arrays = dict[str, "NDArray[Any]"]


class DatasetStore:
    """Keep datasets and their shards.

    Parameters
    ----------
    store
        A connected maggma store with the key ``dataset_id``.
    blobs
        Where the shards go.
    """

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self.documents = DocumentStore(store, DatasetDoc).ensure_indexes("name")
        self.blobs = blobs

    def put(self, doc: DatasetDoc, shards: Iterable[Mapping[str, NDArray[Any]]] = ()) -> DatasetDoc:
        """Store a dataset, in place of one with the same identifier.

        Parameters
        ----------
        doc
            The document; references of the given shards, if any, take the place of its own.
        shards
            Named arrays of each shard. They are taken and written one at a time, so a generator
            keeps only one in memory.

        Returns
        -------
        DatasetDoc
            The stored document.

        Raises
        ------
        StoreError
            If something cannot be written; no document exists then.
        """
        stored = [self.blobs.put_arrays(shard) for shard in shards]
        return self.documents.put(doc.updated(shards=stored or doc.shards))

    def get(self, name: str) -> DatasetDoc:
        """Return the dataset with an identifier or, failing that, the newest one of that name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        return self.documents.get_named(name)

    def query(self, criteria: Mapping[str, Any] | None = None) -> Iterator[DatasetDoc]:
        """Yield the datasets that satisfy a MongoDB query, one at a time."""
        return self.documents.query(criteria)

    def load_shard(self, doc: DatasetDoc, index: int) -> Arrays:
        """Return the arrays of one shard.

        Raises
        ------
        DatasetError
            If the dataset has no such shard.
        BlobError
            If it is missing or damaged.
        """
        if not 0 <= index < len(doc.shards):
            raise DatasetError(
                f"dataset {doc.name!r} has {len(doc.shards)} shards and shard {index} was asked "
                "for; count from 0, or build the dataset again with its samples"
            )
        return self.blobs.get_arrays(doc.shards[index])

    def iterate_shards(self, doc: DatasetDoc) -> Iterator[Arrays]:
        """Yield the arrays of each shard in reading order, one in memory at a time."""
        for index in range(len(doc.shards)):
            yield self.load_shard(doc, index)
