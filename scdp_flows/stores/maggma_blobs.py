"""Keep blobs in a maggma store."""

from __future__ import annotations

import base64
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.errors import BlobError
from scdp_flows.stores.blobs import BlobStore, StoredBlob
from scdp_flows.stores.codecs import CODECS
from scdp_flows.stores.outages import outlast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from maggma.core import Store

__all__ = ["MaggmaBlobStore"]

T = TypeVar("T")

_DEFAULT_MAX_BYTES = 16 * 2**30
# A blob that was used a moment ago is not marked again: marking writes it anew.
_RECENT_S = 600.0
_USED_AT = "used_at"


class MaggmaBlobStore(BlobStore):
    """Keep blobs in a maggma store, such as S3Store or GridFSStore.

    Parameters
    ----------
    store
        A connected store with the key ``blob_key``.
    max_bytes
        Largest uncompressed payload in bytes that is written or read.
    """

    def __init__(self, store: Store, *, max_bytes: int = _DEFAULT_MAX_BYTES) -> None:
        super().__init__(max_bytes=max_bytes)
        self.store = store
        # GridFSStore and S3Store look only at what they keep beside the data.
        searchable = getattr(store, "searchable_fields", None)
        if searchable is not None and _USED_AT not in searchable:
            store.searchable_fields = [*searchable, _USED_AT]  # type: ignore[attr-defined]

    @property
    def name(self) -> str:
        """The name of the maggma store."""
        return str(self.store.name)

    def entries(self) -> Iterator[StoredBlob]:
        """Yield every stored blob, without reading them."""
        for found in self._ask(lambda: self.store.distinct("blob_key")):
            key, _, codec = str(found).partition(".")
            yield StoredBlob(key, codec)

    def clock(self) -> float:
        """Return the time of this machine."""
        return time.time()

    def discard_unused(self, blob: StoredBlob, *, since: float) -> bool:
        """Remove a blob unless it was put or kept at ``since`` or later; say whether it was."""
        name = f"{blob.key}.{blob.codec}"
        if self.last_used(blob) >= since:
            return False
        # In one step where the store can: a writer may mark it between the two.
        self._remove_where({"blob_key": name, _USED_AT: {"$lt": since}})
        if self.last_used(blob) >= since:
            return not self._codecs(blob.key)
        # Written when GridFS and S3 were told the key alone.
        self._remove_where({"blob_key": name})
        return True

    def last_used(self, blob: StoredBlob) -> float:
        """Return when a blob was last put or kept, in s since 1970; infinity if it is gone."""
        wanted = {"blob_key": f"{blob.key}.{blob.codec}"}
        times = self._ask(lambda: self.store.distinct(_USED_AT, wanted))
        if times:
            return float(max(times))
        return 0.0 if self._ask(lambda: self.store.count(wanted)) else float("inf")

    def _codecs(self, key: str) -> list[str]:
        names = [f"{key}.{codec}" for codec in CODECS]
        wanted = {"blob_key": {"$in": names}}
        found = set(self._ask(lambda: self.store.distinct("blob_key", wanted)))
        return [codec for codec in CODECS if f"{key}.{codec}" in found]

    def _mark_used(self, key: str, codec: str) -> bool:
        used = self.last_used(StoredBlob(key, codec))
        if used == float("inf"):
            return False
        if time.time() - used > _RECENT_S:
            data = self._read(key, codec)
            if data is None:
                return False
            self._write(key, codec, data)
        return True

    def _read(self, key: str, codec: str) -> bytes | None:
        wanted = {"blob_key": f"{key}.{codec}"}
        document = self._ask(lambda: self.store.query_one(wanted))
        return None if document is None else base64.b64decode(document["data"])

    def _write(self, key: str, codec: str, data: bytes) -> None:
        # Text, because several of maggma's stores go through JSON, which has no bytes.
        row = {
            "blob_key": f"{key}.{codec}",
            "data": base64.b64encode(data).decode(),
            _USED_AT: time.time(),
        }
        self._ask(lambda: self._update(row))

    def _update(self, row: dict[str, Any]) -> None:
        write_object = getattr(self.store, "write_doc_to_s3", None)
        if write_object is None:
            self.store.update(row, key="blob_key")
        else:
            # update() opens a new session for each document, which takes longer than the transfer.
            found = write_object(row, ["blob_key", _USED_AT])
            self.store.index.update(found, key="blob_key")  # type: ignore[attr-defined]

    def _remove(self, key: str, codec: str) -> None:
        self._remove_where({"blob_key": f"{key}.{codec}"})

    def _remove_where(self, criteria: dict[str, Any]) -> None:
        # Unless told, S3Store forgets an object and leaves it in the bucket.
        known = inspect.signature(self.store.remove_docs).parameters
        extra = {name: True for name in ("remove_s3_object",) if name in known}
        self._ask(lambda: self.store.remove_docs(criteria, **extra))

    def _ask(self, act: Callable[[], T]) -> T:
        """Ask the server, patiently."""
        return outlast(act, self.name, BlobError)
