from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.errors import StructureError
from scdp_flows.io.box import molecule_box


def _largest_prime_factor(number: int) -> int:
    divisor = 2
    while divisor < number:
        if number % divisor:
            divisor += 1
        else:
            number //= divisor
    return number


@pytest.mark.parametrize("spacing", [0.13, 0.16, 0.25, 1 / 3])
@pytest.mark.parametrize("padding", [2.0, 4.0, 4.37])
def test_boxes_keep_their_promises(
    spacing: float, padding: float, rng: np.random.Generator
) -> None:
    positions = rng.normal(scale=[3.0, 1.0, 0.2], size=(12, 3)) + np.array([5.0, -40.0, 0.0])
    origin, cell, shape = molecule_box(positions, spacing=spacing, padding=padding)
    lengths = np.diag(cell)
    assert np.array_equal(cell, np.diag(lengths))
    assert (lengths / shape <= spacing).all()
    assert np.allclose(lengths / shape, spacing, rtol=1e-14)
    assert (positions.min(axis=0) - origin >= padding - 1e-8).all()
    assert (origin + lengths - positions.max(axis=0) >= padding - 1e-8).all()
    assert max(_largest_prime_factor(n) for n in shape) <= 7


def test_the_box_moves_with_the_molecule(rng: np.random.Generator) -> None:
    positions, shift = rng.normal(size=(5, 3)), np.array([0.3, -7.1, 100.0])
    here = molecule_box(positions, spacing=0.2, padding=3.0)
    there = molecule_box(positions + shift, spacing=0.2, padding=3.0)
    assert here.shape == there.shape
    assert np.allclose(there.origin - here.origin, shift)


def test_the_molecule_sits_in_the_middle(rng: np.random.Generator) -> None:
    positions = rng.normal(size=(5, 3))
    box = molecule_box(positions, spacing=0.2, padding=3.0)
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    assert np.allclose(box.origin + np.diag(box.cell) / 2, middle)


def test_a_whole_number_of_steps_stays_one() -> None:
    assert molecule_box([[0.0, 0.0, 0.0]], spacing=0.1, padding=1.0).shape == (20, 20, 20)


@pytest.mark.parametrize(
    ("positions", "spacing", "padding"),
    [
        ([], 0.2, 3.0),
        ([[0.0, np.nan, 0.0]], 0.2, 3.0),
        ([[0.0, 0.0, 0.0]], 0.0, 3.0),
        ([[0.0, 0.0, 0.0]], 0.2, -1.0),
        ([[0.0, 0.0, 0.0]], np.nan, 3.0),
    ],
)
def test_impossible_boxes_are_refused(
    positions: list[list[float]], spacing: float, padding: float
) -> None:
    with pytest.raises(StructureError, match="box"):
        molecule_box(positions, spacing=spacing, padding=padding)
