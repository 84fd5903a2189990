"""The choice of the kernel, and what it refuses."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.evaluate import evaluate_at_points, evaluate_on_grid, iter_slabs
from scdp_models.density.grids import grid_points
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeDensity = Callable[..., OrbitalDensity]

ORIGIN = np.array([-1.0, -2.0, -1.5])
BOX = np.diag([4.0, 5.0, 4.5])
TRICLINIC = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])
SHAPE = (8, 10, 9)


@pytest.mark.parametrize("method", ["auto", "separable", "table", "reference"])
def test_methods_agree_on_a_right_angled_grid(random_density: MakeDensity, method: str) -> None:
    density = random_density()
    found = evaluate_on_grid(density, ORIGIN, BOX, SHAPE, method=method)
    expected = evaluate_at_points(density, grid_points(ORIGIN, BOX, SHAPE)).reshape(SHAPE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True)])
def test_triclinic_grids_keep_the_tolerance(
    random_density: MakeDensity, pbc: tuple[bool, bool, bool]
) -> None:
    density = random_density(cell=TRICLINIC, pbc=pbc, exponents=(0.8, 2.0))
    found = evaluate_on_grid(density, ORIGIN, TRICLINIC, SHAPE)
    expected = evaluate_at_points(density, grid_points(ORIGIN, TRICLINIC, SHAPE)).reshape(SHAPE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_reference_runs_plane_by_plane(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate_on_grid(random_density(), ORIGIN, BOX, SHAPE, method="reference")
    monkeypatch.setattr("scdp_models.density.evaluate._N_POINTS", 200)
    parts = evaluate_on_grid(random_density(), ORIGIN, BOX, SHAPE, method="reference")
    np.testing.assert_allclose(parts, whole, atol=1e-13)


def test_periodic_grid_holds_the_electrons_of_the_cell(random_density: MakeDensity) -> None:
    cell = np.diag([5.0, 4.0, 6.0])
    density = random_density(cell=cell, pbc=(True,) * 3, exponents=(0.1, 0.3))
    values = evaluate_on_grid(density, np.zeros(3), cell, (24, 20, 28))
    assert values.mean() * 120.0 == pytest.approx(density.n_electrons(), abs=1e-4)


def test_gradient_comes_with_the_values(random_density: MakeDensity) -> None:
    points = np.random.default_rng(0).normal(size=(5, 3))
    values, gradient = evaluate_at_points(random_density(), points, gradient=True)
    assert gradient.shape == (5, 3)
    step = 1e-5 * gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    uphill = evaluate_at_points(random_density(), points + step)
    slope = np.linalg.norm(gradient, axis=1)
    np.testing.assert_allclose((uphill - values) / 1e-5, slope, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "seperable"}, "reference; did you mean 'separable'"),
        ({"method": "gpw"}, "unknown method 'gpw', expected one of auto"),
        ({"tolerance": 0.0}, "positive number"),
        ({"tolerance": float("nan")}, "positive number"),
        ({"shape": (4, 4)}, "three positive whole"),
        ({"origin": [0, 0, np.inf]}, "origin.*NaN"),
        ({"cell": TRICLINIC, "method": "separable"}, "not orthogonal"),
        ({"method": "fourier"}, "periodic along three vectors; use method 'table'"),
    ],
)
def test_bad_requests_are_refused(
    random_density: MakeDensity, changes: dict[str, Any], message: str
) -> None:
    request: dict[str, Any] = {"origin": ORIGIN, "cell": BOX, "shape": SHAPE, **changes}
    with pytest.raises(DensityError, match=message):
        evaluate_on_grid(random_density(), **request)


def _hard_density(
    *, seed: int, cell: np.ndarray | None = None, pbc: tuple[bool, bool, bool] = (False,) * 3
) -> OrbitalDensity:
    """All degrees to 6, exponents from 0.05 to 1e5, one centre far outside the cell."""
    generator = np.random.default_rng(seed)
    ls = np.arange(7).repeat(2)
    exponents = 10 ** generator.uniform(np.log10(0.05), 5.0, size=14)
    exponents[:2] = 0.05, 1e5
    basis = BasisSet("hard", {1: ElementBasis(tuple(ls.tolist()), tuple(exponents.tolist()))})
    positions = generator.uniform(-1.0, 1.0, size=(3, 3)) + np.array([[0], [0], [7.0]])
    coefficients = generator.normal(size=3 * basis.for_species(1).n_functions)
    return OrbitalDensity.from_basis(
        basis, [1, 1, 1], positions, coefficients=coefficients, cell=cell, pbc=pbc
    )


@pytest.mark.parametrize("method", ["separable", "table"])
@pytest.mark.parametrize(
    ("length", "shape"), [(0.01, (3, 2, 4)), (9.0, (9, 8, 7)), (90.0, (6, 5, 9)), (1.0, (1, 1, 1))]
)
def test_kernels_agree_on_hard_molecules(
    method: str, length: float, shape: tuple[int, int, int]
) -> None:
    density = _hard_density(seed=len(method))
    origin, cell = np.full(3, -0.4 * length), length * np.diag([1.0, 1.1, 0.9])
    found = evaluate_on_grid(density, origin, cell, shape, method=method)
    expected = evaluate_on_grid(density, origin, cell, shape, method="reference")
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-6)


@pytest.mark.parametrize("length", [2.0, 25.0])
@pytest.mark.parametrize("method", ["separable", "table", "fourier"])
def test_kernels_agree_on_hard_crystals(method: str, length: float) -> None:
    cell = length * np.diag([1.0, 1.1, 0.9])
    density, shape = _hard_density(seed=1, cell=cell, pbc=(True,) * 3), (6, 5, 8)
    found = evaluate_on_grid(density, np.zeros(3), cell, shape, method=method)
    expected = evaluate_on_grid(density, np.zeros(3), cell, shape, method="reference")
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"method": "fourier"}, {"cutoff": 3.0}])
def test_triclinic_crystals_keep_the_tolerance(
    random_density: MakeDensity, options: dict[str, Any]
) -> None:
    density = random_density(cell=TRICLINIC, pbc=(True,) * 3, exponents=(0.2, 1.0, 30.0))
    shape = (16, 15, 17)
    found = evaluate_on_grid(density, ORIGIN, TRICLINIC, shape, **options)
    points = grid_points(ORIGIN, TRICLINIC, shape)
    expected = pairwise_density(density, points[::37], cutoff=options.get("cutoff"))
    np.testing.assert_allclose(found.ravel()[::37], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", [BOX, TRICLINIC], ids=["box", "triclinic"])
@pytest.mark.parametrize("thickness", [None, 1, 3])
def test_slabs_are_the_grid(
    random_density: MakeDensity, cell: np.ndarray, thickness: int | None
) -> None:
    density = random_density(cell=cell, pbc=(True,) * 3)
    slabs = list(iter_slabs(density, ORIGIN, cell, SHAPE, thickness=thickness))
    assert len(slabs) == {None: 1, 1: 8, 3: 3}[thickness]
    whole = evaluate_on_grid(density, ORIGIN, cell, SHAPE)
    np.testing.assert_allclose(np.concatenate(slabs), whole, atol=1e-12)


def test_slabs_of_a_large_grid_need_little_memory(random_density: MakeDensity) -> None:
    density, cell = random_density(), 30.0 * np.eye(3)
    slabs = iter_slabs(density, np.full(3, -15.0), cell, (400, 400, 400), thickness=8)
    tracemalloc.start()
    charge = sum(float(slab.sum()) for slab in slabs) * (30.0 / 400) ** 3
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two slabs at a time, of the 512 MB that the grid has.
    assert peak < 40e6
    assert charge == pytest.approx(density.n_electrons(), abs=1e-3)


def test_many_points_are_looked_up_in_tables(random_density: MakeDensity) -> None:
    points = np.random.default_rng(0).normal(size=(1500, 3))
    found = evaluate_at_points(random_density(), points, tolerance=1e-7)
    expected = evaluate_at_points(random_density(), points, method="reference")
    assert 0 < np.abs(found - expected).max() < 1e-7
