"""Shells as Cartesian polynomials, and their tables along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.cartesian import CartesianGaussians, axis_tables, from_shells
from scdp_models.density.reference import pairwise_density

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]


def _all_shells(density: OrbitalDensity) -> CartesianGaussians:
    shells = np.arange(len(density.shell_ls))
    return from_shells(density, shells, np.linspace(10.0, 5.0, len(shells)))


def _values(gaussians: CartesianGaussians, points: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros(len(points))
    for n in range(len(gaussians)):
        d = points - gaussians.positions[n]
        powers = [d[:, axis, None] ** np.arange(gaussians.tensors.shape[1]) for axis in range(3)]
        polynomial = np.einsum("ijk,pi,pj,pk->p", gaussians.tensors[n], *powers)
        total += polynomial * np.exp(-gaussians.exponents[n] * (d**2).sum(1))
    return total


def test_polynomials_are_the_density(random_density: MakeDensity, rng: np.random.Generator) -> None:
    density, points = random_density(), rng.normal(size=(20, 3))
    found = _values(_all_shells(density), points)
    np.testing.assert_allclose(found, pairwise_density(density, points), atol=1e-12)


def test_shells_of_equal_exponent_merge(random_density: MakeDensity) -> None:
    # 16 shells a centre; l = 0 and 2 share exponents, and so do l = 1 and 3.
    gaussians = _all_shells(random_density())
    assert len(gaussians) == 3 * 8
    assert sorted(set(gaussians.degrees.tolist())) == [2, 3]


def test_they_are_sorted_by_centre_and_radius(random_density: MakeDensity) -> None:
    gaussians = _all_shells(random_density())
    assert (np.diff(gaussians.centres) >= 0).all()
    for centre in range(3):
        assert (np.diff(gaussians.radii[gaussians.centres == centre]) <= 0).all()


def test_taking_some_trims_the_tensors(random_density: MakeDensity) -> None:
    density = random_density()
    shells = np.flatnonzero(density.shell_ls <= 1)
    gaussians = from_shells(density, shells, np.ones(len(shells)))
    assert gaussians.tensors.shape[1:] == (2, 2, 2)
    only_s = gaussians.take(np.flatnonzero(gaussians.degrees == 0))
    assert only_s.tensors.shape[1:] == (1, 1, 1)


def test_rows_count_the_powers(random_density: MakeDensity) -> None:
    gaussians = _all_shells(random_density()).take(slice(0, 2))
    gaussian, power = gaussians.rows()
    first, second = gaussians.degrees + 1
    assert gaussian.tolist() == [0] * first + [1] * second
    assert power.tolist() == [*range(first), *range(second)]


def test_no_shells(random_density: MakeDensity) -> None:
    none = np.zeros(0, dtype=np.int64)
    gaussians = from_shells(random_density(), none, np.zeros(0))
    assert len(gaussians) == 0
    assert gaussians.rows()[0].shape == (0,)


def test_tables_are_powers_times_gaussians() -> None:
    x, a, centre = np.linspace(-2, 3, 11), np.array([0.5, 2.0]), np.array([0.3, -0.4])
    tables = axis_tables(x, a, 4, centres=centre)
    d = x - centre[:, None]
    for power in range(4):
        expected = d**power * np.exp(-a[:, None] * d**2)
        np.testing.assert_allclose(tables[:, power], expected, atol=1e-15)


def test_periodic_tables_repeat_and_sum_images() -> None:
    x, a = np.linspace(0, 3.0, 7), np.array([0.2, 1.0])
    tables = axis_tables(x, a, 3, centres=0.7, period=3.0)
    np.testing.assert_allclose(tables[..., 0], tables[..., -1], atol=1e-14)
    images = [axis_tables(x, a, 3, centres=0.7 + 3.0 * n) for n in range(-15, 16)]
    np.testing.assert_allclose(tables, sum(images), atol=1e-13)
