"""The choice of the kernel, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.density.evaluate import evaluate_at_points, evaluate_on_grid
from scdp_models.density.grids import grid_points
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

ORIGIN = np.array([-1.0, -2.0, -1.5])
BOX = np.diag([4.0, 5.0, 4.5])
TRICLINIC = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])
SHAPE = (8, 10, 9)


@pytest.mark.parametrize("method", ["auto", "separable", "reference"])
def test_methods_agree_on_a_right_angled_grid(random_density: MakeDensity, method: str) -> None:
    density = random_density()
    found = evaluate_on_grid(density, ORIGIN, BOX, SHAPE, method=method)
    expected = evaluate_at_points(density, grid_points(ORIGIN, BOX, SHAPE)).reshape(SHAPE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True)])
def test_auto_takes_the_reference_on_a_triclinic_grid(
    random_density: MakeDensity, pbc: tuple[bool, bool, bool]
) -> None:
    density = random_density(cell=TRICLINIC, pbc=pbc, exponents=(0.8, 2.0))
    found = evaluate_on_grid(density, ORIGIN, TRICLINIC, SHAPE)
    expected = evaluate_at_points(density, grid_points(ORIGIN, TRICLINIC, SHAPE)).reshape(SHAPE)
    np.testing.assert_allclose(found, expected, atol=1e-12)


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
        ({"method": "seperable"}, "auto, separable, reference; did you mean 'separable'"),
        ({"method": "fft"}, "unknown method 'fft', expected one of auto"),
        ({"tolerance": 0.0}, "positive number"),
        ({"tolerance": float("nan")}, "positive number"),
        ({"shape": (4, 4)}, "three positive whole"),
        ({"origin": [0, 0, np.inf]}, "origin.*NaN"),
        ({"cell": TRICLINIC, "method": "separable"}, "not orthogonal"),
    ],
)
def test_bad_requests_are_refused(
    random_density: MakeDensity, changes: dict[str, Any], message: str
) -> None:
    request: dict[str, Any] = {"origin": ORIGIN, "cell": BOX, "shape": SHAPE, **changes}
    with pytest.raises(DensityError, match=message):
        evaluate_on_grid(random_density(), **request)
