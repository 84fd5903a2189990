"""Remove the blobs that no document refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.stores.references import documents_with_references

if TYPE_CHECKING:
    from scdp_flows.stores.factory import Stores

__all__ = ["DEFAULT_GRACE_S", "Collected", "collect_garbage"]

DEFAULT_GRACE_S = 24 * 3600.0
"""How long a blob is left alone after it was put or kept, in s: longer than any step takes from
its first blob to its document."""


class Collected(NamedTuple):
    """What a collection found."""

    n_blobs: int
    """Blobs in the store before."""
    n_referenced: int
    """Those that documents refer to."""
    n_recent: int
    """Those without a document that are too young to be judged."""
    n_removed: int
    """Those that were removed, or would be."""
    n_swept: int
    """Files that killed processes had left."""


def collect_garbage(
    stores: Stores, *, grace_s: float = DEFAULT_GRACE_S, dry_run: bool = False
) -> Collected:
    """Remove the blobs that no document refers to and that nobody has used for a while.

    Others may write meanwhile. A blob is put before its document, so a blob without one is left
    alone for ``grace_s`` seconds; putting the same content again, or keeping it, begins that time
    anew, and a writer that does so while the blob is being removed wins.

    Blobs that several databases share are judged by the documents of this one alone: do not collect
    where a folder or bucket of blobs serves more than one.

    Parameters
    ----------
    stores
        The stores.
    grace_s
        How long a blob is left alone after its last use, in s.
    dry_run
        Whether to remove nothing and only count.

    Raises
    ------
    StoreError
        If a document or blob cannot be read or removed. Then nothing was removed wrongly: blobs
        are removed only after every document has been read.
    """
    swept = 0 if dry_run else stores.blobs.sweep()
    since = stores.blobs.clock() - grace_s
    # The order matters: what is put after this line is not among the candidates.
    candidates = set(stores.blobs.entries())
    n_blobs = len(candidates)
    used = {ref.key for _, _, found in documents_with_references(stores) for ref in found}
    unused = sorted(blob for blob in candidates if blob.key not in used)
    if dry_run:
        removed = sum(stores.blobs.last_used(blob) < since for blob in unused)
    else:
        removed = sum(stores.blobs.discard_unused(blob, since=since) for blob in unused)
    return Collected(n_blobs, n_blobs - len(unused), len(unused) - removed, removed, swept)
