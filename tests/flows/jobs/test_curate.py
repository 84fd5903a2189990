from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.curate import (
    divide,
    divide_by_file,
    select,
    tag_densities,
    tag_duplicates,
)
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.schemas.density import DensityDoc


@pytest.fixture
def stores(store_path: str) -> Iterator[Stores]:
    """Give open, empty stores."""
    with open_stores(store_path) as opened:
        yield opened


@pytest.fixture
def docs(
    stores: Stores, put_density: Callable[..., Any], molecules: list[Molecule]
) -> list[DensityDoc]:
    """Give six stored densities: two each of H2 and water, one each of methane and CO."""
    return [
        put_density(stores, molecule, source=f"{n}.cube") for n, molecule in enumerate(molecules)
    ]


def test_select_leaves_out_what_is_excluded_or_refused(
    stores: Stores, docs: list[DensityDoc]
) -> None:
    stores.densities.put(docs[5].updated(status="refused", reason="spiky"))
    found = select(stores.densities, {"elements": "H"}, {"formula": {"$in": ["H2", "CH4"]}})
    assert [doc.density_id for doc in found] == [docs[2].density_id, docs[3].density_id]
    assert len(list(select(stores.densities))) == 5
    assert len(list(select(stores.densities, exclude={"elements": "O"}))) == 3


def test_tags_come_and_go(stores: Stores, docs: list[DensityDoc]) -> None:
    assert tag_densities(stores.densities, {"elements": "O"}, add=["oxide", "mine"]) == 3
    assert tag_densities(stores.densities, {"elements": "O"}, add=["mine"]) == 0
    assert tag_densities(stores.densities, {"formula": "CO"}, remove=["oxide", "never"]) == 1
    assert stores.densities.count({"tags": "oxide"}) == 2
    with pytest.raises(DatasetError, match="added and removed"):
        tag_densities(stores.densities, {}, add=["a"], remove=["a"])


def test_duplicates_are_tagged_and_then_left_out(stores: Stores, docs: list[DensityDoc]) -> None:
    assert len(tag_duplicates(stores, tolerance=0.2, dry_run=True)) == 2
    assert stores.densities.count({"tags": "duplicate"}) == 0
    found = tag_duplicates(stores, tolerance=0.2)
    assert [same.kept for same in found] == [docs[0].density_id, docs[2].density_id]
    kept = select(stores.densities, exclude={"tags": "duplicate"})
    assert [doc.formula for doc in kept] == ["H2", "H2O", "CH4", "CO"]


def test_a_division_keeps_groups_together_and_can_be_cited(
    stores: Stores, docs: list[DensityDoc]
) -> None:
    rule = SplitRule(by="composition", test=0.5, validation=0.0)
    doc = divide(stores, "fair", rule, exclude={"formula": "CO"})
    places = stores.curation.load_split(doc)
    assert (doc.n_groups, len(places), doc.method) == (3, 5, "composition")
    assert places[docs[0].density_id] == places[docs[1].density_id]
    assert places[docs[2].density_id] == places[docs[3].density_id]
    again = divide(stores, "same", rule, criteria={"formula": {"$ne": "CO"}})
    assert again.split_id == doc.split_id


def test_the_tagged_are_for_testing(stores: Stores, docs: list[DensityDoc]) -> None:
    tag_densities(stores.densities, {"formula": "CH4"}, add=["held out"])
    places = stores.curation.load_split(divide(stores, "x", SplitRule(test_tag="held out")))
    assert [d for d, part in places.items() if part == "test"] == [docs[4].density_id]


def test_a_published_file_divides(stores: Stores, docs: list[DensityDoc], tmp_path: Path) -> None:
    file = tmp_path / "official.json"
    file.write_text(json.dumps({"train": [0, 1, 2], "validation": [3], "test": [4, 99]}))
    doc = divide_by_file(stores, "official", file)
    assert (doc.n_train, doc.n_validation, doc.n_test) == (3, 1, 1)
    assert doc.parameters["n_listed"] == 6
    assert doc.parameters["file"] == "official.json"
    assert docs[5].density_id not in stores.curation.load_split(doc)


def test_nothing_cannot_be_divided(stores: Stores) -> None:
    with pytest.raises(DatasetError, match="finds no density to divide"):
        divide(stores, "none", SplitRule(), criteria={"elements": "Fe"})
