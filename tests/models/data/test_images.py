"""Images of a periodic structure."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from scdp_models.data.images import image_shifts, periodic_lattice

CELL = np.array([[3.0, 0.0, 0.0], [1.0, 2.5, 0.0], [0.4, -0.3, 4.0]])


@pytest.mark.parametrize("reach", [0.5, 2.0, 6.0])
def test_no_image_within_reach_is_missed(reach: float, rng: np.random.Generator) -> None:
    shifts = image_shifts(CELL, reach)
    listed = {tuple(np.rint(row).astype(int)) for row in shifts @ np.linalg.inv(CELL)}
    vectors = rng.random((200, 3)) @ CELL
    for n in product(range(-5, 6), repeat=3):
        if (np.linalg.norm(vectors - np.array(n) @ CELL, axis=1) < reach).any():
            assert n in listed


def test_a_molecule_has_no_image_but_itself() -> None:
    lattice = periodic_lattice(None, (False, False, False))
    assert lattice.shape == (0, 3)
    np.testing.assert_array_equal(image_shifts(lattice, 9.0), np.zeros((1, 3)))


def test_only_periodic_directions_are_repeated() -> None:
    lattice = periodic_lattice(CELL, (True, False, True))
    np.testing.assert_array_equal(lattice, CELL[[0, 2]])
    assert len(image_shifts(lattice, 3.0)) < len(image_shifts(CELL, 3.0))
