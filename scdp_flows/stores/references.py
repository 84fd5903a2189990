"""Find what documents refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from scdp_flows.schemas.density import BlobReference
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

    from scdp_flows.stores.factory import Stores

__all__ = ["all_collections", "blob_references", "documents_with_references"]

_FIELDS = {"key", "size", "compression", "media"}


def blob_references(content: Any) -> Iterator[BlobReference]:
    """Yield the references anywhere inside a document, whatever type of document it is.

    Parameters
    ----------
    content
        Dictionaries, lists and plain values.
    """
    if isinstance(content, dict):
        if content.keys() >= _FIELDS:
            try:
                yield BlobReference.model_validate(
                    {k: v for k, v in content.items() if k in BlobReference.model_fields}
                )
            except ValidationError:
                pass
            else:
                return
        content = list(content.values())
    if isinstance(content, list):
        for item in content:
            yield from blob_references(item)


def documents_with_references(
    stores: Stores,
) -> Iterator[tuple[Store, dict[str, Any], list[BlobReference]]]:
    """Yield every document of every collection with the blobs that it refers to.

    Collections that scdp-flows does not know are read too: whoever keeps documents beside ours may
    refer to our blobs.
    """
    for store in all_collections(stores):
        for row in store.query():
            yield store, row, list(blob_references(row))


def all_collections(stores: Stores) -> Iterator[Store]:
    """Yield the open collections of documents, and what else lies in the same SQLite files."""
    own = [store for store in stores.connected if store is not getattr(stores.blobs, "store", None)]
    yield from own
    seen = {(s.path, s.collection_name) for s in stores.connected if isinstance(s, SqliteStore)}
    files = {path for path, _ in seen} | {str(file) for file in stores.path.glob("*.sqlite")}
    for path in sorted(files):
        for name in SqliteStore.collections(path):
            if (path, name) not in seen:
                with SqliteStore(path, name) as other:
                    yield other
