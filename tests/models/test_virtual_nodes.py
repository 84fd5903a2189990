"""Bond midpoints."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_models.errors import GraphError
from scdp_models.graph import build_graph
from scdp_models.virtual_nodes import COVALENT_RADII, METALS, bond_midpoints, bond_switch

PERIODIC = (True, True, True)
TETRAHEDRON = np.array([[1, 1, 1], [-1, -1, 1], [1, -1, -1], [-1, 1, -1]]) * 1.09 / 3**0.5
ROCKSALT = 0.5 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
SQUARE = 1.45 * np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])


def test_the_switch_has_two_continuous_derivatives() -> None:
    x = np.linspace(1.1, 1.55, 3001)
    values = bond_switch(x)
    assert np.all(values[x <= 1.2] == 1)
    assert np.all(values[x >= 1.45] == 0)
    second = np.gradient(np.gradient(values, x), x)
    jump_of_a_kink = 60 / 0.25**3 * (x[1] - x[0])  # largest third derivative times the step
    assert np.abs(np.diff(second)).max() < 1.1 * jump_of_a_kink


def test_methane_has_four_midpoints() -> None:
    positions = np.concatenate([np.zeros((1, 3)), TETRAHEDRON])
    middles = bond_midpoints([6, 1, 1, 1, 1], positions)
    np.testing.assert_allclose(middles.positions, TETRAHEDRON / 2)
    np.testing.assert_array_equal(middles.weights, 1.0)


@pytest.mark.parametrize(
    ("numbers", "positions"),
    [([2], [[0, 0, 0]]), ([10, 10], [[0, 0, 0], [0, 0, 3.1]]), ([1, 1], [[0, 0, 0], [0, 0, 2]])],
)
def test_atoms_without_a_bond_have_no_midpoint(
    numbers: list[int], positions: list[list[float]]
) -> None:
    middles = bond_midpoints(numbers, positions)
    assert middles.positions.shape == (0, 3)
    assert middles.weights.shape == (0,)


def test_stretching_a_bond_fades_its_midpoint_out() -> None:
    bond = COVALENT_RADII[6] + COVALENT_RADII[8]
    lengths = bond * np.linspace(1.0, 1.5, 51)
    weights = [
        bond_midpoints([6, 8], [[0.0, 0.0, 0.0], [0.0, 0.0, d]]).weights.sum() for d in lengths
    ]
    assert weights[0] == 1.0
    assert weights[-1] == 0.0
    assert -0.2 < np.diff(weights).min()
    assert np.diff(weights).max() <= 0


def test_rocksalt_has_six_midpoints_between_unlike_ions() -> None:
    cell = 4.21 * ROCKSALT
    middles = bond_midpoints([12, 8], np.outer([0, 1], [2.105] * 3), cell=cell, pbc=PERIODIC)
    assert len(middles.weights) == 6
    # Each lies half a bond from a magnesium ion, along a cubic axis.
    cubic = middles.positions / 4.21 * 4 - np.round(middles.positions / 4.21 * 4)
    np.testing.assert_allclose(cubic, 0, atol=1e-9)


def test_metals_are_not_bonded_to_each_other() -> None:
    cell = 4.05 * ROCKSALT
    assert len(bond_midpoints([13], [[0, 0, 0]], cell=cell, pbc=PERIODIC).weights) == 0
    assert {3, 13, 19, 26, 30, 31} <= METALS
    assert not {1, 2, 5, 6, 14, 18, 32, 36} & METALS


def test_bonds_across_the_boundary_are_found_once() -> None:
    cell = 5.43 * ROCKSALT
    diamond = np.outer([0, 1], [5.43 / 4] * 3)
    middles = bond_midpoints([14, 14], diamond, cell=cell, pbc=PERIODIC)
    assert len(middles.weights) == 4
    moved = diamond + np.array([[0, 0, 0], [3, -1, 2]]) @ cell
    again = bond_midpoints([14, 14], moved, cell=cell, pbc=PERIODIC)
    assert len(again.weights) == 4


def test_an_atom_is_bonded_to_its_own_images_once_each() -> None:
    cell = np.diag([1.3, 20.0, 20.0])
    middles = bond_midpoints([6], [[0, 0, 0]], cell=cell, pbc=PERIODIC)
    np.testing.assert_allclose(middles.positions, [[0.65, 0, 0]])


def test_the_two_diagonals_of_a_square_share_one_midpoint() -> None:
    middles = bond_midpoints([6, 6, 6, 6], SQUARE)
    assert len(middles.weights) == 5
    build_graph([0] * 5, middles.positions, 5.0)  # nothing coincides


def test_a_midpoint_on_an_atom_is_left_out() -> None:
    middles = bond_midpoints([35, 1, 35], np.outer([-1.68, 0, 1.68], [0, 0, 1]))
    np.testing.assert_allclose(np.abs(middles.positions[:, 2]), 0.84)


def test_the_order_of_atoms_does_not_matter(rng: np.random.Generator) -> None:
    numbers, positions = np.array([6, 8, 1, 1, 7]), rng.normal(size=(5, 3))
    order = rng.permutation(5)
    first, second = (
        bond_midpoints(numbers, positions),
        bond_midpoints(numbers[order], positions[order]),
    )
    assert len(first.weights) > 2
    rows = [m.positions[np.lexsort(m.positions.T)] for m in (first, second)]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-12)


def test_elements_without_a_radius_are_named() -> None:
    with pytest.raises(GraphError, match=r"\[0, 92\].*H to Kr"):
        bond_midpoints([92, 0, 1], np.eye(3))


def test_positions_that_are_not_finite_are_named() -> None:
    with pytest.raises(GraphError, match="centre 1 is not finite"):
        bond_midpoints([6, 1], np.diag([0, np.nan, 0])[:2])
