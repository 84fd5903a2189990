"""An ensemble predicts the mean of its models and knows where they disagree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from monty.json import MontyDecoder

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import KindMismatchError, ModelError
from scdp_flows.predictors.ensemble import EnsemblePredictor
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_models.density.coulomb import coulomb_error

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_it_predicts_the_mean(two_models: list[str], water: Molecule) -> None:
    first, second = (ScdpPredictor(model).predict(water) for model in two_models)
    mean = EnsemblePredictor(two_models).predict(water)
    np.testing.assert_allclose(mean.coefficients, (first.coefficients + second.coefficients) / 2)
    assert mean.n_electrons() == pytest.approx(8, abs=1e-5)


def test_the_uncertainty_is_the_distance_per_atom(two_models: list[str], water: Molecule) -> None:
    first, second = (ScdpPredictor(model).predict(water) for model in two_models)
    frames = [water, water.copy(), water.copy()]
    found = list(EnsemblePredictor(two_models, batch_size=2).predict_many(iter(frames)))
    assert len(found) == 3
    for predicted in found:
        expected = coulomb_error(first, second) / 3
        assert predicted.uncertainty_ha_per_atom == pytest.approx(expected, rel=1e-3)
    (quick,) = EnsemblePredictor(two_models, with_uncertainty=False).predict_many([water])
    assert quick.uncertainty_ha_per_atom is None


def test_the_deviation_is_where_the_models_disagree(two_models: list[str], water: Molecule) -> None:
    ensemble = EnsemblePredictor(two_models)
    numbers, cell = np.array(water.atomic_numbers), 6.0 * np.eye(3)
    grid = ChargeDensity(np.ones((12, 12, 12)), cell, np.full(3, -3.0), numbers, water.cart_coords)
    found = ensemble.deviation_like(water, grid)
    points = grid.coordinates().reshape(-1, 3)
    expected = ensemble.deviation_at(water, points).reshape(grid.shape)
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.values.max() > 1e-3
    one = EnsemblePredictor(two_models[:1])
    with pytest.raises(ModelError, match="one model, which agrees with itself"):
        one.deviation_at(water, points)


def test_it_is_known_by_its_members(two_models: list[str], tiny_checkpoint: Path) -> None:
    ensemble = EnsemblePredictor(two_models)
    assert ensemble.model_id() == EnsemblePredictor(two_models[::-1]).model_id()
    assert ensemble.model_id() != EnsemblePredictor(two_models[:1]).model_id()
    assert MontyDecoder().process_decoded(ensemble.as_dict()) == ensemble


def test_members_of_other_kinds_are_refused(
    two_models: list[str], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    from scdp_models.checkpoint import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(tiny_checkpoint)
    kind = {**checkpoint.kind, "functional": "BLYP"}
    other = save_checkpoint(tmp_path / "blyp.safetensors", replace(checkpoint, kind=kind))
    with pytest.raises(KindMismatchError, match="BLYP"):
        EnsemblePredictor([two_models[0], str(other)]).kind()


def test_an_ensemble_of_none_is_refused(water: Molecule) -> None:
    with pytest.raises(ModelError, match="give it one or several names"):
        EnsemblePredictor([]).predict(water)
