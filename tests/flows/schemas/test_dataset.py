from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.dataset import AtomCounts, DatasetDoc, DatasetMember

MEMBERS = [
    DatasetMember(density_id="a", split="train"),
    DatasetMember(density_id="b", split="train", weight=0.5),
    DatasetMember(density_id="c", split="test"),
]
FIELDS: dict[str, Any] = {
    "name": "d",
    "kind": {},
    "kind_key": "k",
    "elements": ["H"],
    "n_atoms": AtomCounts.from_counts([2, 3, 10]),
}


def test_sizes_and_identifier_follow_from_the_members() -> None:
    doc = DatasetDoc.from_members(MEMBERS, target={"delta": True}, **FIELDS)
    assert (doc.n_train, doc.n_validation, doc.n_test) == (2, 0, 1)
    assert doc.ids("train") == ["a", "b"]
    assert doc.dataset_id == DatasetDoc.make_id(MEMBERS[::-1], {"delta": True})


def test_another_split_or_target_is_another_dataset() -> None:
    moved = [*MEMBERS[:2], MEMBERS[2].updated(split="train")]
    ids = {
        DatasetDoc.make_id(MEMBERS, {"delta": True}),
        DatasetDoc.make_id(MEMBERS, {"delta": False}),
        DatasetDoc.make_id(moved, {"delta": True}),
    }
    assert len(ids) == 3


def test_a_density_cannot_be_in_two_splits() -> None:
    leak = [*MEMBERS, MEMBERS[0].updated(split="test")]
    with pytest.raises(ValidationError, match="density a is in the dataset twice"):
        DatasetDoc.from_members(leak, target={}, **FIELDS)


def test_an_empty_dataset_is_refused() -> None:
    with pytest.raises(ValidationError, match="members"):
        DatasetDoc.from_members([], target={}, **FIELDS)


def test_stated_sizes_must_be_true() -> None:
    doc = DatasetDoc.from_members(MEMBERS, target={}, **FIELDS)
    with pytest.raises(ValidationError, match="the members say"):
        doc.updated(n_train=3)


def test_atom_counts() -> None:
    counts = FIELDS["n_atoms"]
    assert (counts.smallest, counts.largest, counts.mean, counts.total) == (2, 10, 5.0, 15)
    assert AtomCounts.from_counts([]).total == 0
