"""Densities to start from, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.jobs.starting_densities import FIT, StartingDensities
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_a_label_gives_its_fit_where_there_is_one(
    gaussian_code: Any, labels: list[str], molecules: list[Molecule], store_path: str
) -> None:
    assert labels
    with open_stores(store_path) as stores:
        densities = StartingDensities(gaussian_code, stores, (), with_fit=True)
        found = densities.make(molecules[0])
        assert list(found) == ["atomic", FIT]
        assert found[FIT].density.n_electrons() == pytest.approx(  # type: ignore[union-attr]
            found["atomic"].density.n_electrons()  # type: ignore[union-attr]
        )
        assert found[FIT].cpu_s == 0
        moved = molecules[0].copy().translate_sites(vector=[0.1, 0, 0])
        assert list(densities.make(moved)) == ["atomic"]


def test_unaudited_structures_are_only_predicted(
    gaussian_code: Any, water: Molecule, store_path: str, tiny_checkpoint: Path
) -> None:
    tiny = ScdpPredictor(str(tiny_checkpoint), name="tiny")
    with open_stores(store_path) as stores:
        found = StartingDensities(gaussian_code, stores, [tiny]).make(water, audited=False)
    assert list(found) == ["tiny"]
    assert found["tiny"].predictor == "tiny"
    assert found["tiny"].cpu_s > 0
