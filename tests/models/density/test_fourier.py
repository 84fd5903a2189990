"""Fourier coefficients are those of the density, and their sum is its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density.fourier import aliasing_errors, fourier_density, rho_g, shells_of
from scdp_models.density.grids import grid_points
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

CELL = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])
ORIGIN = np.array([0.3, -0.4, 1.7])
PERIODIC = (True, True, True)


def test_waves_of_a_grid_are_the_density(random_density: MakeDensity) -> None:
    density = random_density(cell=CELL, pbc=PERIODIC, exponents=(0.2, 0.5))
    shape = (25, 24, 27)
    found = fourier_density(density, shape, ORIGIN).ravel()
    chosen = np.random.default_rng(0).permutation(found.size)[:200]
    expected = pairwise_density(density, grid_points(ORIGIN, CELL, shape)[chosen])
    np.testing.assert_allclose(found[chosen], expected, atol=1e-10)


def test_coefficient_of_no_wave_is_the_electron_count(random_density: MakeDensity) -> None:
    density = random_density(cell=CELL, pbc=PERIODIC)
    (found,) = rho_g(density, [[0, 0, 0]])
    assert found == pytest.approx(density.n_electrons(), abs=1e-12)


def test_moved_density_has_turned_phases(random_density: MakeDensity) -> None:
    density = random_density(cell=CELL, pbc=PERIODIC)
    miller = np.random.default_rng(0).integers(-5, 6, size=(20, 3))
    moved = rho_g(density.translated(0.25 * CELL[1]), miller)
    np.testing.assert_allclose(moved, rho_g(density, miller) * (-1j) ** miller[:, 1], atol=1e-12)


@pytest.mark.parametrize("exponent", [0.5, 2.0, 5.0])
def test_aliasing_is_bounded(random_density: MakeDensity, exponent: float) -> None:
    density = random_density(cell=CELL, pbc=PERIODIC, exponents=(exponent,))
    shape = (16, 15, 17)
    found = fourier_density(density, shape, ORIGIN).ravel()
    points = grid_points(ORIGIN, CELL, shape)
    error = np.abs(found - pairwise_density(density, points)).max()
    bound = aliasing_errors(density, shape).sum()
    assert error <= bound + 1e-10
    assert bound < 1e4 * max(error, 1e-8)


def test_shells_can_be_told_apart(random_density: MakeDensity) -> None:
    density = random_density(cell=CELL, pbc=PERIODIC)
    chosen = density.shell_exponents < 1.0
    parts = shells_of(density, chosen), shells_of(density, ~chosen)
    points = np.random.default_rng(0).normal(size=(10, 3))
    total = sum(pairwise_density(part, points) for part in parts)
    np.testing.assert_allclose(total, pairwise_density(density, points), atol=1e-12)


def test_molecules_have_no_waves(random_density: MakeDensity) -> None:
    with pytest.raises(DensityError, match="three periodic lattice vectors"):
        rho_g(random_density(), [[0, 0, 0]])
