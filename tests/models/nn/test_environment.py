from __future__ import annotations

import numpy as np
import pytest

from scdp_models.density.orbital import rotation_matrix
from scdp_models.nn.environment import Reach, equivariant_features, neighbour_moments
from scdp_models.testing import random_rotations

CELL = np.array([[4.1, 0.2, 0.0], [0.1, 3.9, 0.3], [-0.2, 0.0, 4.4]])
PLACES = np.array([[0.1, 0.2, 0.3], [1.9, 1.7, 0.4], [0.8, 2.6, 2.2]])
NUMBERS = np.array([5, 7, 7])


def _moments(matrix: np.ndarray) -> list[np.ndarray]:
    return neighbour_moments(NUMBERS, PLACES @ matrix.T, CELL @ matrix.T, (5, 7), Reach())


@pytest.mark.parametrize("degree", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("matrix", random_rotations(1, 1), ids=["rotation", "inversion"])
def test_features_turn_with_the_crystal(degree: int, matrix: np.ndarray) -> None:
    before = equivariant_features(_moments(np.eye(3)), degree)
    after = equivariant_features(_moments(matrix), degree)
    assert before.shape == after.shape
    assert np.allclose(after, before @ rotation_matrix(degree, matrix).T, atol=1e-10)
    assert np.abs(before).max() > 0.01


def test_moments_count_neighbours_by_element_and_end_smoothly() -> None:
    moments = _moments(np.eye(3))
    alone = neighbour_moments(NUMBERS, PLACES, CELL, (5,), Reach())
    assert np.array_equal(moments[2][:, : Reach().n_radial], alone[2])
    ends = Reach().functions(np.array([4.5 - 1e-6, 2.0]))
    assert ends[0].max() < 1e-10
    assert ends[1].max() > 0.3
