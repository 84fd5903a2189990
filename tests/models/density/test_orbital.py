"""Moments, motions and arithmetic of densities."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.orbital import OrbitalDensity, rotation_matrix
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError
from scdp_models.harmonics import solid_harmonics
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeDensity = Callable[..., OrbitalDensity]

ROTATIONS = random_rotations()


@pytest.fixture
def on_grid(
    random_density: MakeDensity,
) -> tuple[OrbitalDensity, NDArray[np.float64], NDArray[np.float64]]:
    """Give a density, its values on a grid that holds all of it, and the grid points."""
    density = random_density(exponents=(0.4, 1.1))
    cell, shape, origin = 14.0 * np.eye(3), (56, 56, 56), np.full(3, -6.6)
    values = evaluate_on_grid(density, origin, cell, shape, tolerance=1e-9)
    fractions = np.stack(np.meshgrid(*(np.arange(56) / 56,) * 3, indexing="ij"), axis=-1)
    return density, values, origin + fractions @ cell


def test_n_electrons_is_the_integral(on_grid: tuple[OrbitalDensity, Any, Any]) -> None:
    density, values, _ = on_grid
    assert values.sum() * 0.25**3 == pytest.approx(density.n_electrons(), abs=1e-6)


def test_dipole_is_the_first_moment(on_grid: tuple[OrbitalDensity, Any, Any]) -> None:
    density, values, points = on_grid
    moment = np.einsum("xyz,xyzc->c", values, points) * 0.25**3
    np.testing.assert_allclose(density.dipole(), moment, atol=1e-5)


@pytest.mark.parametrize("l", range(5))
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_rotation_matrix_turns_harmonics(
    l: int, rotation: NDArray[np.float64], rng: np.random.Generator
) -> None:
    vectors = rng.normal(size=(5, 3))
    turned = solid_harmonics(vectors @ rotation.T, l)
    expected = solid_harmonics(vectors, l) @ rotation_matrix(l, rotation).T
    np.testing.assert_allclose(turned, expected, atol=1e-12)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_rotated_density_has_the_values_of_the_turned_points(
    random_density: MakeDensity, rotation: NDArray[np.float64], rng: np.random.Generator
) -> None:
    density, points = random_density(), rng.normal(size=(50, 3))
    found = pairwise_density(density.rotated(rotation), points @ rotation.T)
    np.testing.assert_allclose(found, pairwise_density(density, points), atol=1e-12)


def test_translated_density_moves(random_density: MakeDensity, rng: np.random.Generator) -> None:
    density, points, vector = random_density(), rng.normal(size=(20, 3)), np.array([1.0, 2, -3])
    found = pairwise_density(density.translated(vector), points + vector)
    np.testing.assert_allclose(found, pairwise_density(density, points), atol=1e-12)


def test_sum_and_difference_of_values(
    random_density: MakeDensity, rng: np.random.Generator
) -> None:
    a, b = random_density(seed=1), random_density([[0.5, 0.5, 0.5]], seed=2)
    points = rng.normal(size=(20, 3))
    at_a, at_b = pairwise_density(a, points), pairwise_density(b, points)
    np.testing.assert_allclose(pairwise_density(a + b, points), at_a + at_b, atol=1e-12)
    np.testing.assert_allclose(pairwise_density(a - b, points), at_a - at_b, atol=1e-12)
    np.testing.assert_allclose(pairwise_density(a.scaled(-2.0), points), -2 * at_a, atol=1e-12)


def test_difference_on_the_same_shells_subtracts_coefficients(random_density: MakeDensity) -> None:
    a, b = random_density(seed=1), random_density(seed=2)
    np.testing.assert_allclose((a - b).coefficients, a.coefficients - b.coefficients)


def test_sum_on_the_same_centres_lists_them_once(random_density: MakeDensity) -> None:
    total = random_density(seed=1) + random_density(seed=2)
    assert len(total.numbers) == 3


def test_other_cells_cannot_be_added(random_density: MakeDensity) -> None:
    periodic = random_density(cell=5 * np.eye(3), pbc=(True, True, True))
    with pytest.raises(DensityError, match="different cells"):
        periodic + random_density()
    with pytest.raises(DensityError, match="different cells"):
        periodic - random_density()


@pytest.mark.parametrize("cell", [None, 5 * np.eye(3)])
def test_arrays_round_trip(random_density: MakeDensity, cell: NDArray[np.float64] | None) -> None:
    density = random_density(cell=cell, pbc=(cell is not None,) * 3)
    arrays = density.to_arrays()
    again = OrbitalDensity.from_arrays(arrays)
    assert again.pbc == density.pbc
    for name, array in again.to_arrays().items():
        np.testing.assert_array_equal(array, arrays[name])


def test_missing_arrays_are_named(random_density: MakeDensity) -> None:
    arrays = random_density().to_arrays()
    del arrays["coefficients"]
    with pytest.raises(DensityError, match="coefficients"):
        OrbitalDensity.from_arrays(arrays)


@pytest.mark.parametrize("field", ["positions", "coefficients", "shell_exponents"])
def test_nan_is_refused_by_name(random_density: MakeDensity, field: str) -> None:
    density = random_density()
    bad = getattr(density, field).copy()
    bad.flat[0] = np.nan
    with pytest.raises(DensityError, match=f"{field}.*NaN"):
        replace(density, **{field: bad})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coefficients": np.zeros(3)}, r"coefficients.*\(3,\)"),
        ({"shell_centres": np.full(48, 7)}, "outside the 3 centres"),
        ({"shell_exponents": np.full(48, -1.0)}, "positive"),
        ({"pbc": (True, True, True)}, "no cell"),
        ({"pbc": (True, True)}, "2 entries"),
        ({"cell": np.eye(2)}, r"shape \(3, 3\)"),
        ({"cell": np.full((3, 3), np.inf)}, "finite"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    random_density: MakeDensity, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DensityError, match=message):
        replace(random_density(), **changes)
