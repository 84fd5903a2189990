from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import BlobError, DatasetError, StoreError
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.garbage import collect_garbage

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.schemas.dataset import Split
    from scdp_flows.stores.factory import Stores

PARTS: dict[Split, list[str]] = {"train": ["b", "a"], "test": ["c"]}


def _put(stores: Stores, parts: dict[Split, list[str]], name: str = "one") -> str:
    doc = stores.curation.put_split(parts, name=name, method="structure", n_groups=3)
    return doc.split_id


def test_a_split_says_where_each_density_is(stores: Stores) -> None:
    doc = stores.curation.splits.get(_put(stores, PARTS))
    assert (doc.n_train, doc.n_validation, doc.n_test) == (2, 0, 1)
    assert stores.curation.load_split(doc) == {"a": "train", "b": "train", "c": "test"}


def test_the_identifier_is_that_of_the_division(stores: Stores) -> None:
    same = _put(stores, {"test": ["c"], "validation": [], "train": ["a", "b"]}, "two")
    assert _put(stores, PARTS) == same
    assert _put(stores, {**PARTS, "test": ["d"]}) != same


def test_parts_must_not_overlap(stores: Stores) -> None:
    with pytest.raises(DatasetError, match="density a stands in the split twice"):
        _put(stores, {"train": ["a"], "test": ["a"]})
    assert stores.curation.splits.count() == 0


def test_a_list_of_another_split_is_noticed(stores: Stores) -> None:
    one = stores.curation.splits.get(_put(stores, PARTS))
    two = stores.curation.splits.get(_put(stores, {"train": ["z"]}))
    with pytest.raises(StoreError, match="the list of another split"):
        stores.curation.load_split(one.updated(members=two.members))
    stores.blobs.discard(one.members)
    with pytest.raises(BlobError, match="is not in"):
        stores.curation.load_split(one)


def test_a_pool_comes_back_and_is_stored_once(stores: Stores, molecules: list[Molecule]) -> None:
    doc = stores.curation.put_pool(molecules)
    assert doc.n_structures == len(molecules)
    assert stores.curation.load_pool([doc.structures]) == molecules
    assert stores.curation.put_pool(list(molecules)) == doc
    assert stores.curation.pools.count() == 1
    with pytest.raises(DatasetError, match="no structures to choose from"):
        stores.curation.put_pool([])


def test_a_pool_stays_for_as_long_as_it_is_listed(
    stores: Stores, molecules: list[Molecule]
) -> None:
    doc = stores.curation.put_pool(molecules)
    assert collect_garbage(stores, grace_s=-1).n_removed == 0
    assert stores.curation.load_pool([doc.structures]) == molecules
    stores.blobs.discard(doc.structures)
    (problem,) = check_stores(stores).problems
    assert (problem.what, problem.where) == ("missing blob", doc.pool_id)
    stores.curation.pools.remove(doc.pool_id)
    assert check_stores(stores).problems == []
