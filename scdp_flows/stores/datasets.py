"""Keep datasets: a document each, and packed samples as blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DatasetError
from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from maggma.core import Store
    from numpy.typing import NDArray

    from scdp_flows.stores.blobs import BlobStore

__all__ = ["DatasetStore"]

Arrays = dict[str, "NDArray[Any]"]
# What may change although a model was trained on it: how it is called, and who wrote it when.
_LABELS = {"name", "provenance"}


class DatasetStore:
    """Keep datasets and their shards.

    Parameters
    ----------
    store
        A connected maggma store with the key ``dataset_id``.
    blobs
        Where the shards go.
    users
        Names the models that were trained on a dataset; None: nobody knows of any.
    """

    def __init__(
        self, store: Store, blobs: BlobStore, users: Callable[[str], list[str]] | None = None
    ) -> None:
        self.documents = DocumentStore(store, DatasetDoc).ensure_indexes("name")
        self.blobs = blobs
        self._users = users or (lambda _: [])

    def put(self, doc: DatasetDoc, shards: Iterable[Mapping[str, NDArray[Any]]] = ()) -> DatasetDoc:
        """Store a dataset, in place of one with the same identifier.

        A dataset with the name of an earlier one becomes its next version and points to it. One
        that a model was trained on does not change any more, but for its name.

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
        DatasetError
            If a model was trained on the stored dataset and this one says something else.
        StoreError
            If something cannot be written; no document exists then.
        """
        stored = [self.blobs.put_arrays(shard) for shard in shards]
        doc = doc.updated(shards=stored or doc.shards)
        known = self.documents.find({"dataset_id": doc.dataset_id})
        if known is None:
            doc = self._as_next_version(doc)
        else:
            doc = doc.updated(version=known.version, previous=known.previous)
            self._check_unchanged(known, doc)
        for reference in doc.shards:
            # They may have been packed long ago; see garbage collection.
            self.blobs.keep(reference)
        return self.documents.put(doc)

    def remove(self, doc: DatasetDoc) -> None:
        """Remove the document of a dataset; its shards stay until garbage is collected.

        Raises
        ------
        DatasetError
            If a model was trained on it.
        """
        models = self._users(doc.dataset_id)
        if models:
            raise DatasetError(
                f"dataset {doc.name!r} ({doc.dataset_id}) stays: {', '.join(sorted(models))} was "
                "trained on it; remove that model first"
            )
        self.documents.remove(doc.dataset_id)

    def _as_next_version(self, doc: DatasetDoc) -> DatasetDoc:
        earlier = list(self.documents.query({"name": doc.name}))
        if not earlier:
            return doc.updated(version=1, previous=None)
        last = max(earlier, key=lambda doc: (doc.version, doc.provenance.created_at))
        return doc.updated(version=last.version + 1, previous=last.dataset_id)

    def _check_unchanged(self, known: DatasetDoc, doc: DatasetDoc) -> None:
        changed = [
            name
            for name in type(doc).model_fields
            if name not in _LABELS and getattr(doc, name) != getattr(known, name)
        ]
        models = self._users(doc.dataset_id) if changed else []
        if models:
            raise DatasetError(
                f"dataset {known.name!r} ({known.dataset_id}) is fixed, because "
                f"{', '.join(sorted(models))} was trained on it, and {', '.join(changed)} would "
                "change; build another dataset, which becomes its next version"
            )

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
