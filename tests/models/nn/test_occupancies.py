"""Learn occupancies of atoms in made-up crystals whose law is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scdp_models.errors import CheckpointError, TrainingError
from scdp_models.harmonics import solid_harmonics
from scdp_models.nn.occupancies import Example, OccupancyHead, fit_head, irreps
from scdp_models.testing import random_rotations

DEGREES = (0, 0, 1, 0, 2)
CELL = np.diag([5.0, 5.2, 5.1])


def _law(places: np.ndarray) -> np.ndarray:
    """Give each atom sums over its neighbours in the cell and its images."""
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3) @ CELL
    rows = []
    for place in places:
        vectors = (places[:, None] + shifts - place).reshape(-1, 3)
        vectors = vectors[(np.linalg.norm(vectors, axis=1) > 1e-6)]
        lengths = np.linalg.norm(vectors, axis=1)
        weight = np.where(lengths < 4, np.exp(-(lengths**2) / 4), 0)
        sums = [weight @ solid_harmonics(vectors / lengths[:, None], l) for l in (0, 1, 2)]
        rows.append(np.concatenate([sums[0], 2 - 3 * sums[0], sums[1], [0.25], 0.5 * sums[2]]))
    return np.array(rows)


def _example(seed: int) -> Example:
    rng = np.random.default_rng(seed)
    places = np.array([[0.5, 0.5, 0.5], [2.4, 2.6, 0.4], [0.6, 2.5, 2.7], [2.6, 0.4, 2.5]])
    places = places + rng.normal(scale=0.15, size=places.shape)
    return Example(np.array([14] * 4), places, CELL, np.arange(4), _law(places))


@pytest.fixture(scope="module")
def head() -> OccupancyHead:
    return fit_head([_example(seed) for seed in range(12)], DEGREES)


def test_a_law_of_the_neighbours_is_learned(head: OccupancyHead) -> None:
    new = _example(99)
    found = head.predict(new.numbers, new.positions, new.cell, new.atoms)
    assert found.known.all()
    missed = np.abs(found.values - new.values).max()
    assert missed < 0.15 * np.abs(new.values - head.mean).max()
    assert all(left_out < 0.2 * of_mean for left_out, of_mean in head.scores.values())


def test_predictions_turn_with_the_crystal_as_e3nn_says(head: OccupancyHead) -> None:
    import torch

    new = _example(99)
    order = np.eye(3)[[1, 2, 0]]  # e3nn's coordinates are y, z, x
    for matrix in random_rotations():
        turned = head.predict(new.numbers, new.positions @ matrix.T, new.cell @ matrix.T, new.atoms)
        in_e3nn = torch.as_tensor(order @ matrix @ order.T)
        law = irreps(DEGREES).D_from_matrix(in_e3nn).numpy()
        expected = head.predict(new.numbers, new.positions, new.cell, new.atoms).values @ law.T
        assert np.allclose(turned.values, expected, atol=1e-6)


def test_one_crystal_gives_the_mean_of_the_scalars() -> None:
    example = _example(0)
    alone = fit_head([example], DEGREES)
    found = alone.predict(example.numbers, example.positions, example.cell, example.atoms)
    assert not alone.weights
    assert np.allclose(found.values[:, [0, 1, 5]], example.values.mean(axis=0)[[0, 1, 5]])
    assert not found.values[:, 2:5].any()


def test_noise_is_not_learned() -> None:
    rng = np.random.default_rng(0)
    noisy = [_example(seed)._replace(values=rng.normal(size=(4, 11))) for seed in range(8)]
    assert all(a > 0.9 * b for a, b in fit_head(noisy, DEGREES).scores.values())


def test_foreign_surroundings_give_the_mean(head: OccupancyHead) -> None:
    new = _example(99)
    other = new.numbers.copy()
    other[1] = 8
    unknown = head.predict(other, new.positions, new.cell, np.array([0]))
    squeezed = head.predict(new.numbers, 0.7 * new.positions, 0.7 * new.cell, new.atoms)
    for found in (unknown, squeezed):
        assert not found.known.any()
        assert np.allclose(found.values, head.mean)


def test_a_head_survives_its_parts(head: OccupancyHead) -> None:
    again = OccupancyHead.from_parts(head.header(), head.to_arrays())
    new = _example(99)
    one, two = (each.predict(*new[:4]).values for each in (head, again))
    assert np.array_equal(one, two)
    with pytest.raises(CheckpointError, match="no model of occupancies"):
        OccupancyHead.from_parts({}, {})
    with pytest.raises(CheckpointError, match="mean occupancies"):
        OccupancyHead.from_parts(replace(head, degrees=(0,)).header(), head.to_arrays())


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TrainingError, match="expected 1 for each atom"):
        fit_head([_example(0)], (0,))
    with pytest.raises(TrainingError, match="none"):
        fit_head([_example(0)._replace(atoms=np.arange(0), values=np.empty((0, 11)))], DEGREES)
