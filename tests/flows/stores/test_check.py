from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.stores.check import check_stores

if TYPE_CHECKING:
    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores


def test_a_sound_store_has_no_problems(stores: Stores, dataset: DatasetDoc) -> None:
    stores.blobs.put(b"nobody's")
    assert check_stores(stores) == ([], 5, 5, 1)


@pytest.mark.parametrize(
    ("damage", "what"), [("removed", "missing blob"), ("flipped", "damaged blob")]
)
def test_a_lost_blob_is_named_with_who_needs_it(
    stores: Stores, dataset: DatasetDoc, damage: str, what: str
) -> None:
    doc = stores.densities.get(dataset.members[0].density_id)
    (file,) = stores.path.rglob(f"{doc.blobs['grid'].key}.*")
    data = file.read_bytes()
    file.unlink() if damage == "removed" else file.write_bytes(data[:-9] + bytes(9))
    (problem,) = check_stores(stores).problems
    assert (problem.what, problem.where) == (what, doc.blobs["grid"].key)
    assert f"needed by densities {doc.density_id}" in problem.remedy


def test_reading_the_contents_can_be_left_out(stores: Stores, dataset: DatasetDoc) -> None:
    (file,) = stores.path.rglob(f"{dataset.shards[0].key}.*")
    file.write_bytes(b"")
    assert check_stores(stores, contents=False).problems == []
    assert len(check_stores(stores).problems) == 1


def test_a_half_document_is_named(stores: Stores, dataset: DatasetDoc) -> None:
    stores.densities.documents.store.update({"density_id": "half", "formula": "H2"})
    (problem,) = check_stores(stores).problems
    assert (problem.what, problem.where) == ("unreadable document", "densities half")
    assert problem.why == "structure_hash: Field required"


def test_a_dataset_without_its_densities_is_named(stores: Stores, dataset: DatasetDoc) -> None:
    stores.densities.remove(dataset.members[1].density_id)
    (problem,) = check_stores(stores).problems
    assert problem.what == "missing density"
    assert problem.why.startswith("1 of 4 members")


def test_a_damaged_file_is_named(stores: Stores, dataset: DatasetDoc) -> None:
    from scdp_flows.errors import StoreError
    from scdp_flows.stores.sqlite import SqliteStore

    other = stores.path / "broken"
    other.write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(StoreError, match="broken"):
        SqliteStore.integrity(other)
