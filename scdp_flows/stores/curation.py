"""Keep what surrounds a training: pools, splits, statistics, and leaderboards after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.errors import DatasetError, StoreError
from scdp_flows.schemas.active_learning import PoolDoc
from scdp_flows.schemas.leaderboard import LeaderboardDoc
from scdp_flows.schemas.split import SplitDoc
from scdp_flows.schemas.statistics import StatisticsDoc
from scdp_flows.stores.documents import SHARED_KEY, DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from maggma.core import Store

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.blobs import BlobStore

__all__ = ["CurationStore"]

_PARTS: tuple[Split, ...] = ("train", "validation", "test")


class CurationStore:
    """Keep pools, splits, statistics and leaderboards in one collection.

    Parameters
    ----------
    store
        A connected maggma store with the key ``report_key``.
    blobs
        Where the structures of pools and the lists of splits go.
    """

    def __init__(self, store: Store, blobs: BlobStore) -> None:
        store.ensure_index(SHARED_KEY)
        self.pools = DocumentStore(store, PoolDoc, shared=True)
        self.splits = DocumentStore(store, SplitDoc, shared=True)
        self.statistics = DocumentStore(store, StatisticsDoc, shared=True)
        self.leaderboards = DocumentStore(store, LeaderboardDoc, shared=True)
        self.blobs = blobs

    def put_pool(self, structures: Sequence[AtomicStructure]) -> PoolDoc:
        """Store structures to choose from; the same ones are stored once.

        They stay until the document is removed, since jobs that wait may need them for weeks.

        Parameters
        ----------
        structures
            At least one.

        Raises
        ------
        DatasetError
            If there is none.
        StoreError
            If they cannot be written.
        """
        if not structures:
            raise DatasetError("there are no structures to choose from; give at least one")
        content = json.dumps(list(structures), cls=MontyEncoder)
        blob = self.blobs.put(content.encode())
        return self.pools.put(
            PoolDoc(pool_id=blob.key, structures=blob, n_structures=len(structures))
        )

    def load_pool(self, parts: Iterable[BlobReference]) -> list[AtomicStructure]:
        """Return the structures of a pool.

        Parameters
        ----------
        parts
            Where they are: fields ``structures`` of the documents, in this order.

        Raises
        ------
        BlobError
            If some are missing or damaged.
        """
        decode = MontyDecoder().process_decoded
        return [one for part in parts for one in decode(json.loads(self.blobs.get(part)))]

    def put_split(self, parts: Mapping[Split, Sequence[str]], **fields: Any) -> SplitDoc:
        """Store a division; identifier, counts and list are made here.

        Parameters
        ----------
        parts
            Density identifiers of each part.
        fields
            ``name``, ``method`` and the other fields of the document.

        Raises
        ------
        DatasetError
            If a density is in two parts, or in one twice.
        StoreError
            If it cannot be written.
        """
        listed = {name: sorted(parts.get(name, ())) for name in _PARTS}
        everything = [density_id for ids in listed.values() for density_id in ids]
        if len(set(everything)) < len(everything):
            twice = next(i for i in everything if everything.count(i) > 1)
            raise DatasetError(f"density {twice} stands in the split twice; list it once")
        # Canonical, so that the same division is the same blob.
        payload = json.dumps(listed, separators=(",", ":"), sort_keys=True).encode()
        counts = {f"n_{name}": len(ids) for name, ids in listed.items()}
        split_id = SplitDoc.make_id(parts)
        members = self.blobs.put(payload)
        return self.splits.put(SplitDoc(split_id=split_id, members=members, **counts, **fields))

    def load_split(self, doc: SplitDoc) -> dict[str, Split]:
        """Return the part of each density.

        Raises
        ------
        BlobError
            If the list is missing or damaged.
        StoreError
            If it is not the list of this document.
        """
        listed: dict[Split, list[str]] = json.loads(self.blobs.get(doc.members))
        if SplitDoc.make_id(listed) != doc.split_id:
            raise StoreError(
                f"split {doc.name!r} ({doc.split_id}) points to the list of another split; make "
                "the split anew"
            )
        return {density_id: name for name, ids in listed.items() for density_id in ids}
