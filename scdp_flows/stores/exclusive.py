"""Change a document while others may write it, whatever the store."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from pymongo.errors import DuplicateKeyError

if TYPE_CHECKING:
    from maggma.core import Store

__all__ = ["exclusive", "replaced"]

Document = dict[str, Any]


def exclusive(store: Store) -> AbstractContextManager[None]:
    """Keep others out for the time of a block, where a store can; servers cannot."""
    lock: AbstractContextManager[None] = getattr(store, "exclusive", nullcontext)()
    return lock


def replaced(store: Store, before: Document | None, after: Document, key: str) -> bool:
    """Write a document unless another has been written in its place, and say whether it was.

    Parameters
    ----------
    store
        A connected maggma store. A server is asked to compare; others are written to inside
        :func:`exclusive`.
    before
        What was read, None if there was nothing.
    after
        What shall be there.
    key
        The field that identifies documents.
    """
    if not _is_served(store):
        store.update([after], key=key)
        return True
    collection: Any = store._collection  # noqa: SLF001 - maggma has no condition on what it writes
    if before is None:
        try:
            # An identifier of its own choice: of two who insert at once the server refuses one.
            collection.insert_one({"_id": after[key], **after})
        except DuplicateKeyError:
            return False
        return True
    # By $eq, for which a mapping that is stored is no operator.
    same = {name: {"$eq": value} for name, value in before.items() if name != "_id"}
    found = collection.replace_one({"_id": before["_id"], **same}, after)
    return bool(found.matched_count)


def _is_served(store: Store) -> bool:
    if hasattr(store, "exclusive"):
        return False
    # Not at the top: its classes load much that the embedded stores do without.
    from maggma.stores import MemoryStore, MongoStore

    # A collection in memory has one process, and its JSON file must be written, too.
    return isinstance(store, MongoStore) and not isinstance(store, MemoryStore)
