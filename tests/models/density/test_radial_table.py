"""The table kernel keeps its tolerance at any point, near nuclei and across cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.grids import grid_points
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.radial_table import TableGrid, build_table, table_density
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeDensity = Callable[..., OrbitalDensity]

CELL = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])
EXPONENTS = (0.2, 2.0, 60.0, 5000.0)


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "1" if request.param == "compiled" else "0")


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-9])
def test_tolerance_is_kept_near_and_far(random_density: MakeDensity, tolerance: float) -> None:
    density = random_density(exponents=EXPONENTS)
    generator = np.random.default_rng(0)
    steps = generator.normal(size=(600, 3)) * 10 ** generator.uniform(-4, 1, size=(600, 1))
    points = density.positions[generator.integers(0, 3, 600)] + steps
    found = table_density(density, points, tolerance=tolerance)
    np.testing.assert_allclose(found, pairwise_density(density, points), rtol=0, atol=tolerance)


@pytest.mark.parametrize("cutoff", [None, 2.6])
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, True)])
def test_images_are_found_from_anywhere(
    random_density: MakeDensity, pbc: tuple[bool, bool, bool], cutoff: float | None
) -> None:
    density = random_density(cell=CELL, pbc=pbc, exponents=(0.3, 2.0)).translated([9.0, -5.0, 3.0])
    points = 6.0 * np.random.default_rng(0).normal(size=(60, 3))
    found = table_density(density, points, cutoff=cutoff)
    expected = pairwise_density(density, points, cutoff=cutoff)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 0.7])
@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True), (True, False, True)])
def test_rows_of_a_grid_are_its_points(
    random_density: MakeDensity, pbc: tuple[bool, bool, bool], scale: float
) -> None:
    density = random_density(cell=CELL, pbc=pbc, exponents=(0.4, 3.0))
    origin, cell, shape = np.array([-1.0, 0.5, 2.0]), scale * CELL, (7, 9, 11)
    grid = TableGrid(density, origin, cell, shape, tolerance=1e-8)
    found = np.concatenate([grid.fill(slice(0, 3)), grid.fill(slice(3, 7))])
    expected = pairwise_density(density, grid_points(origin, cell, shape)).reshape(shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


def test_no_points_and_no_shells(random_density: MakeDensity) -> None:
    assert table_density(random_density(), np.zeros((0, 3))).shape == (0,)
    nothing = random_density().scaled(0.0)
    np.testing.assert_array_equal(table_density(nothing, np.zeros((2, 3))), 0.0)


def test_degrees_beyond_the_loops_are_refused() -> None:
    basis = BasisSet("high", {1: ElementBasis((13,), (1.0,))})
    density = OrbitalDensity.from_basis(basis, [1], np.zeros((1, 3)), coefficients=np.ones(27))
    with pytest.raises(DensityError, match="degree 13"):
        build_table(density, np.array([0]), 3.0, 1e-6)


def test_finer_tolerance_takes_more_pieces(random_density: MakeDensity) -> None:
    density = random_density(exponents=EXPONENTS)
    own = np.flatnonzero(density.shell_centres == 0)
    coarse, fine = (len(build_table(density, own, 5.0, t).terms) for t in (1e-4, 1e-8))
    assert 3 * coarse < fine < 10 * coarse
