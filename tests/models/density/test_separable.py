"""The separable kernel keeps its tolerance against the float64 reference on every kind of grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.density import separable
from scdp_models.density.cartesian import CartesianGaussians
from scdp_models.density.grids import grid_points
from scdp_models.density.options import Accuracy
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.reference import pairwise_density
from scdp_models.density.separable import grid_slabs, separable_density
from scdp_models.errors import DensityError
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeDensity = Callable[..., OrbitalDensity]

# From so diffuse that it fills every box to so sharp that it meets a few grid points.
EXPONENTS = (0.09, 0.3, 1.0, 4.0, 15.0, 80.0, 900.0)
ORIGIN = np.array([-3.1, -2.9, -3.3])
BOX = np.diag([7.2, 6.8, 7.6])
SHAPE = (36, 34, 38)
LATTICE = np.diag([4.1, 5.2, 3.7])


@pytest.fixture(params=["compiled", "numpy"], autouse=True)
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test with compiled loops and without."""
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "1" if request.param == "compiled" else "0")


def _error(density: OrbitalDensity, *, tolerance: float = 1e-6, **grid: Any) -> float:
    """Return the largest error of the kernel, at some of the points of a grid."""
    origin, cell = grid.get("origin", ORIGIN), grid.get("cell", BOX)
    shape = grid.get("shape", SHAPE)
    found = separable_density(density, origin, cell, shape, tolerance=tolerance).ravel()
    chosen = np.random.default_rng(0).permutation(len(found))[: 400 if any(density.pbc) else 3000]
    expected = pairwise_density(density, grid_points(origin, cell, shape)[chosen])
    assert np.abs(expected).max() > 1e-3
    return float(np.abs(found[chosen] - expected).max())


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6, 1e-9])
def test_tolerance_is_kept_in_a_molecule(random_density: MakeDensity, tolerance: float) -> None:
    density = random_density(exponents=EXPONENTS)
    assert _error(density, tolerance=tolerance) <= tolerance


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("pbc", [(True, True, True), (False, True, False)])
def test_tolerance_is_kept_in_a_crystal(
    random_density: MakeDensity, tolerance: float, pbc: tuple[bool, bool, bool]
) -> None:
    density = random_density(exponents=EXPONENTS, cell=LATTICE, pbc=pbc)
    grid = {"origin": np.zeros(3), "cell": LATTICE, "shape": (26, 33, 24)}
    assert _error(density, tolerance=tolerance, **grid) <= tolerance


def test_tight_tolerance_means_rounding_error(random_density: MakeDensity) -> None:
    assert _error(random_density(), tolerance=1e-13) < 2e-12


@pytest.mark.parametrize("rotation", random_rotations(1, 1))
def test_grid_may_stand_in_any_orientation(random_density: MakeDensity, rotation: Any) -> None:
    density = random_density(exponents=EXPONENTS)
    assert _error(density, cell=BOX @ rotation.T, origin=rotation @ ORIGIN) <= 1e-6


@pytest.mark.parametrize("order", [[1, 2, 0], [0, 2, 1]])
def test_axes_may_be_permuted(random_density: MakeDensity, order: list[int]) -> None:
    crystal = random_density(exponents=EXPONENTS, cell=LATTICE, pbc=(True, True, False))
    shape = tuple(np.array([26, 33, 24])[order].tolist())
    assert _error(crystal, cell=LATTICE[order], shape=shape) <= 1e-6


def test_left_handed_grid(random_density: MakeDensity) -> None:
    cell = BOX * np.array([1, -1, 1])
    assert _error(random_density(), cell=cell, origin=[-3.1, 3.9, -3.3]) <= 1e-6


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 1), (3, 1, 50), (2, 2, 2)])
def test_thin_grids(random_density: MakeDensity, shape: tuple[int, int, int]) -> None:
    assert _error(random_density(), shape=shape, origin=[0.1, 0.1, 0.1]) <= 1e-6


def test_grid_may_cover_other_parts_of_a_crystal(random_density: MakeDensity) -> None:
    density = random_density(exponents=EXPONENTS, cell=LATTICE, pbc=(True,) * 3)
    assert _error(density, origin=[-11.0, 3.0, 17.0], cell=np.diag([9.0, 2.0, 5.0])) <= 1e-6


def test_smooth_part_is_interpolated(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    density = random_density(exponents=EXPONENTS)
    plan = separable._prepare(density, ORIGIN, BOX, (72, 68, 76), Accuracy())
    assert plan.smooth is not None
    n_chosen = [len(axis.points) for axis in plan.smooth.interpolation]
    assert all(n < 0.7 * total for n, total in zip(n_chosen, (72, 68, 76), strict=True))


@pytest.mark.parametrize("slab", [1, 5, 100])
def test_slabs_are_the_grid(random_density: MakeDensity, slab: int) -> None:
    density = random_density(exponents=EXPONENTS)
    whole = separable_density(density, ORIGIN, BOX, SHAPE)
    slabs = list(grid_slabs(density, ORIGIN, BOX, SHAPE, slab=slab))
    assert max(len(s) for s in slabs) == min(slab, 36)
    np.testing.assert_allclose(np.concatenate(slabs), whole, atol=1e-12)


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True)])
def test_huge_grids_hold_no_coarse_grid(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch, pbc: tuple[bool, bool, bool]
) -> None:
    density = random_density(exponents=EXPONENTS, cell=LATTICE, pbc=pbc)
    whole = separable_density(density, ORIGIN, BOX, SHAPE, tolerance=1e-8)
    monkeypatch.setattr(separable, "_LARGEST_COARSE_GRID", 10)
    slabs = list(grid_slabs(density, ORIGIN, BOX, SHAPE, slab=7, tolerance=1e-8))
    np.testing.assert_allclose(np.concatenate(slabs), whole, atol=2e-8)


def test_density_far_from_the_grid_is_zero(random_density: MakeDensity) -> None:
    far = random_density().translated([500.0, 0, 0])
    np.testing.assert_array_equal(separable_density(far, ORIGIN, BOX, (4, 5, 6)), 0.0)


def test_density_without_shells_is_zero() -> None:
    empty = OrbitalDensity([], np.zeros((0, 3)), [], [], [], [])  # type: ignore[arg-type]
    np.testing.assert_array_equal(separable_density(empty, ORIGIN, BOX, (4, 5, 6)), 0.0)


def test_zero_coefficients_cost_nothing(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    plan = separable._prepare(random_density().scaled(0.0), ORIGIN, BOX, SHAPE, Accuracy())
    assert plan.smooth is None
    assert isinstance(plan.sharp, CartesianGaussians)
    assert len(plan.sharp) == 0


def test_slab_must_be_positive(random_density: MakeDensity) -> None:
    with pytest.raises(DensityError, match="slab is 0"):
        next(grid_slabs(random_density(), ORIGIN, BOX, SHAPE, slab=0))


def test_triclinic_grid_is_refused(random_density: MakeDensity) -> None:
    with pytest.raises(DensityError, match="not orthogonal"):
        separable_density(random_density(), ORIGIN, BOX + 0.1, SHAPE)
