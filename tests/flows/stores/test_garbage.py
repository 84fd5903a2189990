from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.stores.garbage import collect_garbage

if TYPE_CHECKING:
    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores


def test_only_what_nobody_refers_to_is_removed(stores: Stores, dataset: DatasetDoc) -> None:
    orphan = stores.blobs.put(b"nobody's")
    assert collect_garbage(stores, grace_s=-1, dry_run=True).n_removed == 1
    assert stores.blobs.has(orphan)
    assert collect_garbage(stores, grace_s=-1) == (6, 5, 0, 1, 0)
    assert not stores.blobs.has(orphan)
    for member in dataset.members:
        doc = stores.densities.get(member.density_id)
        assert stores.densities.load_arrays(doc, "grid")["values"].shape == (4, 4, 4)


def test_a_blob_without_its_document_yet_is_left_alone(stores: Stores) -> None:
    waiting = stores.blobs.put(b"its document comes in a moment")
    found = collect_garbage(stores)
    assert (found.n_recent, found.n_removed) == (1, 0)
    assert stores.blobs.get(waiting)


def test_what_a_removed_document_leaves_goes(stores: Stores, dataset: DatasetDoc) -> None:
    stores.datasets.remove(dataset)
    stores.densities.remove(dataset.members[0].density_id)
    assert collect_garbage(stores, grace_s=-1).n_removed == 2
