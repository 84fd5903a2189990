"""Lattice translations around a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.images import first_image, image_shifts, periodic_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

CELL = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])


def test_only_periodic_vectors_count(random_density: MakeDensity) -> None:
    assert periodic_vectors(random_density()).shape == (0, 3)
    slab = random_density(cell=CELL, pbc=(True, False, True))
    np.testing.assert_array_equal(periodic_vectors(slab), CELL[[0, 2]])


def test_wrapped_vectors_lie_in_the_cell() -> None:
    vectors = 20 * np.random.default_rng(0).normal(size=(50, 3))
    fractions = first_image(vectors, CELL) @ np.linalg.inv(CELL)
    assert fractions.min() >= 0.0
    assert fractions.max() < 1.0
    np.testing.assert_array_equal(first_image(vectors, CELL[:0]), vectors)


def test_no_image_within_reach_is_missed() -> None:
    shifts = image_shifts(CELL, 5.0)
    generator = np.random.default_rng(0)
    points, steps = generator.uniform(size=(100, 3)) @ CELL, generator.integers(-9, 10, (5000, 3))
    every = steps @ CELL
    near = every[(np.linalg.norm(points[:, None] - every, axis=2) < 5.0).any(axis=0)]
    found = {tuple(np.round(s, 6)) for s in shifts}
    assert {tuple(np.round(s, 6)) for s in near} <= found
    np.testing.assert_array_equal(image_shifts(CELL[:0], 5.0), np.zeros((1, 3)))
