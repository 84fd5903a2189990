"""Means and distances of densities are those of the formulas."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from scdp_flows.errors import ModelError
from scdp_flows.predictors.spread import coulomb_spread, mean_density
from scdp_models.density.coulomb import coulomb_error
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.density.orbital import OrbitalDensity


@pytest.fixture
def densities(rng: np.random.Generator) -> list[OrbitalDensity]:
    """Give three densities of the same functions."""
    first = OrbitalDensity(
        numbers=np.array([8, 1]),
        positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        shell_centres=np.array([0, 0, 1]),
        shell_ls=np.array([0, 1, 0]),
        shell_exponents=np.array([0.8, 0.5, 0.4]),
        coefficients=rng.normal(size=5),
    )
    return [first, *(replace(first, coefficients=rng.normal(size=5)) for _ in range(2))]


def _scaled(density: OrbitalDensity, factor: float) -> OrbitalDensity:
    return replace(density, shell_exponents=factor * density.shell_exponents)


def test_the_mean_is_the_mean_everywhere(
    densities: list[OrbitalDensity], rng: np.random.Generator
) -> None:
    points = rng.normal(size=(7, 3))
    for given in (densities, [_scaled(d, 1 + 0.1 * i) for i, d in enumerate(densities)]):
        expected = np.mean([evaluate_at_points(d, points) for d in given], axis=0)
        np.testing.assert_allclose(
            evaluate_at_points(mean_density(given), points), expected, atol=1e-8
        )
    assert mean_density(densities).n_functions == 5


def test_the_spread_is_the_mean_over_all_pairs(densities: list[OrbitalDensity]) -> None:
    expected = np.mean([coulomb_error(a, b) for a, b in combinations(densities, 2)])
    assert coulomb_spread(densities) == pytest.approx(expected, rel=1e-10)
    nearly = [*densities[:2], _scaled(densities[2], 1 + 1e-9)]
    assert coulomb_spread(nearly) == pytest.approx(expected, rel=1e-6)


def test_in_a_large_cell_a_crystal_is_as_a_molecule(densities: list[OrbitalDensity]) -> None:
    # Dipoles of opposite directions, whose images hardly see each other.
    dipoles = [replace(d, coefficients=np.eye(5)[2] * i) for i, d in enumerate(densities)]
    crystal = [replace(d, cell=14.0 * np.eye(3), pbc=(True, True, True)) for d in dipoles]
    assert coulomb_spread(crystal) == pytest.approx(coulomb_spread(dipoles), rel=0.02)


def test_one_density_and_a_slab_have_no_spread(densities: list[OrbitalDensity]) -> None:
    assert coulomb_spread(densities[:1]) is None
    slab = [replace(d, cell=9.0 * np.eye(3), pbc=(True, True, False)) for d in densities]
    assert coulomb_spread(slab) is None
    with pytest.raises(ModelError, match="no densities"):
        mean_density([])
