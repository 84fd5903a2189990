"""Published densities end at a cut-off; ours do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.nn.legacy import LegacyPrediction, load


@pytest.fixture
def water(published: Any, results: Any) -> LegacyPrediction:
    weights, stored = published("B"), results("B_H2O")
    return load(weights.state, weights.hparams)(stored["atom_types"], stored["coords"])


def test_the_orbital_density_is_the_published_one_within_the_cutoff(
    water: LegacyPrediction,
) -> None:
    near = water.orbitals.positions[0] + np.random.default_rng(0).normal(size=(200, 3))
    ours = evaluate_at_points(water.orbital_density(), near)
    difference = np.abs(water.density(near) - ours).max()
    assert difference < 1e-5 * np.abs(ours).max()


def test_functions_end_at_the_cutoff(water: LegacyPrediction) -> None:
    farthest = water.orbitals.positions[:, 0].max()
    points = np.array([[farthest + 5.001, 0, 0], [farthest + 200.0, 0, 0]])
    points[:, 1:] = water.orbitals.positions[0, 1:]
    assert not water.density(points).any()


def test_one_exponent_factor_scales_one_shell(water: LegacyPrediction) -> None:
    assert water.exponent_factors is not None
    factors = water.orbitals.shell_exponents[:57] / water.orbitals.shell_exponents[0]
    assert len(factors) == 57  # oxygen comes first
    assert 0.5 < water.exponent_factors.min() <= water.exponent_factors.max() < 2
