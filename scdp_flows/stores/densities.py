"""Keep labelled densities: a small document each, and its arrays as blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.errors import DensityError, UnknownNameError
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from maggma.core import Store
    from numpy.typing import NDArray

    from scdp_flows.stores.blobs import BlobStore

__all__ = ["DensityStore"]

Arrays = dict[str, "NDArray[Any]"]


class DensityStore:
    """Keep densities, one for each structure and settings.

    Parameters
    ----------
    store
        A connected maggma store with the key ``density_id``.
    blobs
        Where the arrays go.
    """

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        self.documents = DocumentStore(store, DensityDoc).ensure_indexes(
            "structure_hash", "settings_hash", "kind_key", "formula", "n_atoms", "tags", "elements"
        )
        self.blobs = blobs

    def put(
        self,
        doc: DensityDoc,
        arrays: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
        *,
        keep_tags: bool = False,
    ) -> DensityDoc:
        """Store a density, in place of one with the same identifier.

        The arrays are written first: a document never points to what is not there. If writing the
        document fails, the arrays stay without one, and are used again at the next attempt.

        Parameters
        ----------
        doc
            The document; references of the given arrays are added to its own.
        arrays
            Named arrays by role, such as ``{"grid": {"values": ...}, "orbital": {...}}``.
        keep_tags
            Whether a document that is there already hands on its tags, also one that another job
            has written a moment ago.

        Returns
        -------
        DensityDoc
            The stored document. Storing the same again changes nothing.

        Raises
        ------
        DensityError
            If an array holds NaN or infinity; nothing is stored then.
        StoreError
            If something cannot be written.
        """
        arrays = arrays or {}
        for role, content in arrays.items():
            _check_finite(content, f"{doc.formula} {doc.density_id}, {role}")
        stored = {role: self.blobs.put_arrays(content) for role, content in arrays.items()}
        whole = doc.updated(blobs={**doc.blobs, **stored})
        if not keep_tags:
            return self.documents.put(whole)
        return self.documents.change(
            doc.density_id, lambda before: _tagged(whole, () if before is None else before.tags)
        )

    def tag(self, density_id: str, add: Iterable[str], remove: Iterable[str] = ()) -> DensityDoc:
        """Add tags to a density and take others away; what others do meanwhile stays.

        Parameters
        ----------
        density_id
            Of the density.
        add, remove
            Tags.

        Returns
        -------
        DensityDoc
            The stored document.

        Raises
        ------
        UnknownNameError
            If there is none.
        StoreError
            If it cannot be written.
        """
        added, removed = list(add), set(remove)

        def change(before: DensityDoc | None) -> DensityDoc:
            return _tagged(before or self.get(density_id), added, removed)

        return self.documents.change(density_id, change)

    def get(self, density_id: str) -> DensityDoc:
        """Return the document with an identifier.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        return self.documents.get(density_id)

    def find(self, *, structure_hash: str, settings_hash: str) -> DensityDoc | None:
        """Return the density of a structure under given settings, None if there is none yet."""
        density_id = DensityDoc.make_id(structure_hash, settings_hash)
        return self.documents.find({"density_id": density_id})

    def query(
        self, criteria: Mapping[str, Any] | None = None, *, limit: int = 0
    ) -> Iterator[DensityDoc]:
        """Yield documents that satisfy a MongoDB query, one at a time, in order of writing."""
        return self.documents.query(criteria, limit=limit)

    def count(self, criteria: Mapping[str, Any] | None = None) -> int:
        """Return the number of densities that satisfy a query."""
        return self.documents.count(criteria)

    def distinct(self, field: str, criteria: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the different values of a field."""
        return self.documents.distinct(field, criteria)

    def remove(self, density_id: str) -> None:
        """Remove a document; its arrays stay, since others may share them."""
        self.documents.remove(density_id)

    def is_whole(self, doc: DensityDoc) -> bool:
        """Return whether all arrays of a density are there and undamaged.

        Raises
        ------
        BlobError
            If the store of the arrays cannot be read.
        """
        return all(map(self.blobs.is_whole, doc.blobs.values()))

    def load_arrays(self, doc: DensityDoc, name: str) -> Arrays:
        """Return the arrays of one role.

        Parameters
        ----------
        doc
            A stored document.
        name
            The role: ``"grid"``, ``"orbital"``, ...

        Raises
        ------
        UnknownNameError
            If the density has no arrays of that role.
        BlobError
            If they are missing or damaged.
        """
        if name not in doc.blobs:
            raise UnknownNameError(name, doc.blobs, what=f"array of density {doc.density_id}")
        return self.blobs.get_arrays(doc.blobs[name])


def _tagged(doc: DensityDoc, add: Iterable[str], remove: Iterable[str] = ()) -> DensityDoc:
    return doc.updated(tags=sorted({*doc.tags, *add} - set(remove)))


def _check_finite(arrays: Mapping[str, NDArray[Any]], where: str) -> None:
    for name, array in arrays.items():
        values = np.asarray(array)
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise DensityError(
                f"{where}: {bad} of {values.size} values of array {name!r} are not finite; label "
                "the structure again or leave it out"
            )
