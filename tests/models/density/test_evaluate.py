"""The choice of the kernel, and what it refuses."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.density import evaluate
from scdp_models.density.evaluate import evaluate_at_points, evaluate_on_grid, iter_slabs
from scdp_models.density.grids import grid_points
from scdp_models.density.options import Accuracy
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

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


@pytest.mark.parametrize("method", ["separable", "table"])
@pytest.mark.parametrize(
    ("length", "shape"), [(0.01, (3, 2, 4)), (9.0, (9, 8, 7)), (90.0, (6, 5, 9)), (1.0, (1, 1, 1))]
)
def test_kernels_agree_on_hard_molecules(
    hard_density: MakeDensity, method: str, length: float, shape: tuple[int, int, int]
) -> None:
    density = hard_density(seed=len(method))
    origin, cell = np.full(3, -0.4 * length), length * np.diag([1.0, 1.1, 0.9])
    found = evaluate_on_grid(density, origin, cell, shape, method=method)
    expected = evaluate_on_grid(density, origin, cell, shape, method="reference")
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 8), (1, 1, 1)], ids=["grid", "one point"])
@pytest.mark.parametrize("length", [1.0, 25.0, 90.0], ids=["tiny", "large", "huge"])
@pytest.mark.parametrize("method", ["auto", "separable", "table", "fourier"])
def test_kernels_agree_on_hard_crystals(
    hard_density: MakeDensity, method: str, length: float, shape: tuple[int, int, int]
) -> None:
    cell = length * np.diag([1.0, 1.1, 0.9])
    density = hard_density(seed=1, cell=cell, pbc=(True,) * 3)
    found = evaluate_on_grid(density, [0.1, 0.2, 0.3], cell, shape, method=method)
    _check_some(found, density, np.array([0.1, 0.2, 0.3]), cell)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("scale", [0.4, 6.0], ids=["tiny", "large"])
@pytest.mark.parametrize("method", ["auto", "table"])
def test_kernels_agree_on_hard_triclinic_cells(
    hard_density: MakeDensity, method: str, scale: float, pbc: tuple[bool, bool, bool]
) -> None:
    cell = scale * TRICLINIC
    density = hard_density(seed=2, cell=cell, pbc=pbc).translated([-31.0, 5.0, 12.0])
    origin = density.positions[0] - 0.3 * cell[0]
    found = evaluate_on_grid(density, origin, cell, (5, 4, 6), method=method)
    _check_some(found, density, origin, cell)


@pytest.mark.parametrize("cell", [BOX, 6.0 * TRICLINIC, None], ids=["box", "triclinic", "none"])
def test_without_numba_hard_densities_are_the_same(
    hard_density: MakeDensity, cell: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    density = hard_density(seed=3, cell=cell, pbc=(cell is not None,) * 3)
    grid = BOX if cell is None else cell
    compiled = evaluate_on_grid(density, ORIGIN, grid, (4, 3, 5))
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    plain = evaluate_on_grid(density, ORIGIN, grid, (4, 3, 5))
    np.testing.assert_allclose(plain, compiled, rtol=1e-12, atol=2e-6)
    _check_some(plain, density, ORIGIN, grid)


@pytest.mark.parametrize("cell", [None, 2.0 * TRICLINIC], ids=["molecule", "crystal"])
def test_tables_find_hard_densities_at_points_anywhere(
    hard_density: MakeDensity, cell: np.ndarray | None
) -> None:
    density = hard_density(seed=4, cell=cell, pbc=(cell is not None,) * 3)
    generator = np.random.default_rng(0)
    # On nuclei, between them and far outside the cell.
    steps = generator.normal(size=(60, 3)) * 10 ** generator.uniform(-5, 1.3, size=(60, 1))
    points = np.concatenate([density.positions, density.positions[generator.integers(3)] + steps])
    found = evaluate_at_points(density, points, method="table")
    expected = evaluate_at_points(density, points, method="reference")
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-6)


def _check_some(
    found: np.ndarray, density: OrbitalDensity, origin: np.ndarray, cell: np.ndarray
) -> None:
    """Compare about twelve points of a grid with the pairwise sum."""
    points = grid_points(origin, cell, found.shape)
    chosen = slice(None, None, -(-len(points) // 12))
    expected = pairwise_density(density, points[chosen])
    np.testing.assert_allclose(found.ravel()[chosen], expected, rtol=1e-12, atol=1e-6)


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


@pytest.mark.parametrize("length", [2.1, 60.0])
def test_waves_are_chosen_where_images_overlap(random_density: MakeDensity, length: float) -> None:
    cell = length * (1 - np.eye(3))
    density = random_density(cell=cell, pbc=(True,) * 3, exponents=(0.2, 0.6))
    grid = evaluate._Grid(np.zeros(3), cell, (24, 24, 24))
    waves = evaluate._choose_waves(density, grid, Accuracy())
    assert waves.all() if length < 10.0 else not waves.any()


def test_many_points_are_looked_up_in_tables(random_density: MakeDensity) -> None:
    points = np.random.default_rng(0).normal(size=(1500, 3))
    found = evaluate_at_points(random_density(), points, tolerance=1e-7)
    expected = evaluate_at_points(random_density(), points, method="reference")
    assert 0 < np.abs(found - expected).max() < 1e-7
