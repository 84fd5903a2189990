"""Neighbour lists, charge groups and batches."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from scdp_models.errors import GraphError
from scdp_models.graph import (
    build_graph,
    charge_groups,
    collate,
    find_neighbours,
    smooth_switch,
)

TRICLINIC = np.array([[3.0, 0.0, 0.0], [0.5, 3.3, 0.0], [-1.2, 0.4, 2.8]])
PERIODIC = (True, True, True)


def _brute_force(
    points: np.ndarray, cutoff: float, cell: np.ndarray | None, n_images: int
) -> list[tuple[int, int, float, float, float]]:
    """List (target, source, vector) of all pairs by trying every image."""
    reach = range(-n_images, n_images + 1)
    shifts = np.zeros((1, 3)) if cell is None else np.array(list(product(reach, repeat=3))) @ cell
    found: list[tuple[int, int, float, float, float]] = []
    for i, j in product(range(len(points)), repeat=2):
        vectors = points[j] + shifts - points[i]
        distance = np.linalg.norm(vectors, axis=1)
        near = vectors[(distance > 1e-9) & (distance < cutoff)]
        found.extend((i, j, *v) for v in np.round(near, 6).tolist())
    return sorted(found)


def _found(
    points: np.ndarray, cutoff: float, cell: np.ndarray | None = None
) -> list[tuple[int, int, float, float, float]]:
    pairs = find_neighbours(points, cutoff, cell=cell, pbc=(cell is not None,) * 3)
    vectors = np.round(points[pairs.source] + pairs.shift - points[pairs.target], 6)
    ends = zip(pairs.target.tolist(), pairs.source.tolist(), vectors.tolist(), strict=True)
    return sorted((i, j, *v) for i, j, v in ends)


def test_pairs_of_a_molecule_are_those_of_brute_force(rng: np.random.Generator) -> None:
    points = rng.normal(scale=3.0, size=(25, 3))
    assert _found(points, 4.0) == _brute_force(points, 4.0, None, 0)


@pytest.mark.parametrize("cutoff", [1.5, 2.9, 6.3])
def test_pairs_of_a_triclinic_cell_are_those_of_brute_force(
    rng: np.random.Generator, cutoff: float
) -> None:
    points = rng.random((4, 3)) @ TRICLINIC
    assert _found(points, cutoff, TRICLINIC) == _brute_force(points, cutoff, TRICLINIC, 5)


def test_atoms_outside_the_cell_have_the_same_neighbours(rng: np.random.Generator) -> None:
    points = rng.random((4, 3)) @ TRICLINIC
    outside = points + rng.integers(-2, 3, size=(4, 3)) @ TRICLINIC
    assert _found(outside, 4.0, TRICLINIC) == _found(points, 4.0, TRICLINIC)
    far = points + np.array([400, -300, 500]) @ TRICLINIC  # a drifting trajectory
    assert len(_found(far, 4.0, TRICLINIC)) == len(_found(points, 4.0, TRICLINIC))


def test_a_slab_repeats_along_its_periodic_directions_only() -> None:
    cell = np.diag([2.0, 2.0, 2.0])
    pairs = find_neighbours([[0.0, 0.0, 0.0]], 2.1, cell=cell, pbc=(True, True, False))
    assert len(pairs.source) == 4
    assert np.all(pairs.shift[:, 2] == 0)


def test_an_atom_on_the_face_of_the_cell_keeps_its_neighbours() -> None:
    cell = np.diag([2.0, 2.0, 2.0])
    for z in (0.0, -1e-17, 2.0, 2.0 - 1e-16):
        pairs = find_neighbours([[0.0, 0.0, z], [0.0, 0.0, 1.0]], 1.1, cell=cell, pbc=PERIODIC)
        assert len(pairs.source) == 4


def test_coinciding_centres_are_refused_by_index() -> None:
    points = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0 + 1e-5]]
    with pytest.raises(GraphError, match=r"centres (1 and 2|2 and 1) are 1e-05 Å apart; remove"):
        find_neighbours(points, 3.0)


def test_centres_that_coincide_across_the_boundary_are_refused() -> None:
    points = [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]
    with pytest.raises(GraphError, match="remove one of them"):
        find_neighbours(points, 1.0, cell=np.diag([2.0] * 3), pbc=PERIODIC)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "there is no cell"),
        (np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]]), "coplanar"),
        ([3.0, 3.0, 3.0], "three lattice vectors"),
        (np.full((3, 3), np.nan), "three lattice vectors"),
    ],
)
def test_an_impossible_cell_is_refused(cell: np.ndarray | None, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        find_neighbours([[0.0, 0, 0]], 2.0, cell=cell, pbc=PERIODIC)


@pytest.mark.parametrize(
    ("numbers", "positions", "said"),
    [
        ([], np.zeros((0, 3)), "expected"),
        ([1, 1], np.zeros((1, 3)), "expected"),
        ([1, 1, 1], np.zeros((3, 2)), "expected"),
        ([1, 1], [[0, 0, 0], [0, np.inf, 0]], "centre 1 is not finite"),
    ],
)
def test_impossible_structures_are_refused(
    numbers: list[int], positions: np.ndarray, said: str
) -> None:
    with pytest.raises(GraphError, match=said):
        build_graph(numbers, positions, 5.0)


def test_a_switch_has_two_continuous_derivatives() -> None:
    x = np.linspace(-0.2, 1.2, 2801)
    values = smooth_switch(x)
    assert (values[0], values[-1]) == (1.0, 0.0)
    second = np.gradient(np.gradient(values, x), x)
    assert np.abs(np.diff(second)).max() < 60 * (x[1] - x[0]) * 1.1  # |f'''| is at most 60


def test_groups_of_full_links_are_the_components() -> None:
    source, target = np.array([0, 1, 3, 4]), np.array([1, 0, 4, 3])
    groups = charge_groups(5, source, target, np.ones(4))
    sets = {frozenset(groups.member[groups.group == g].tolist()) for g in range(3)}
    assert sets == {frozenset({0, 1}), frozenset({2}), frozenset({3, 4})}
    np.testing.assert_array_equal(groups.weight, 1.0)


def test_a_fading_link_joins_two_groups_in_part() -> None:
    # 0 = 1 - - 2, and a weaker way round that must not count
    source, target = np.array([0, 1, 0]), np.array([1, 2, 2])
    groups = charge_groups(3, source, target, np.array([1.0, 0.3, 0.1]))
    found: dict[frozenset[int], float] = {}
    for g, weight in enumerate(groups.weight):
        members = frozenset(groups.member[groups.group == g].tolist())
        found[members] = found.get(members, 0.0) + weight
    expected = {frozenset({0, 1, 2}): 0.3, frozenset({0, 1}): 0.7, frozenset({2}): 0.7}
    assert found == pytest.approx(expected)


def test_every_centre_is_counted_once_in_all(rng: np.random.Generator) -> None:
    source, target = rng.integers(0, 12, size=(2, 20))
    groups = charge_groups(12, source, target, rng.random(20))
    counted = np.bincount(groups.member, groups.weight[groups.group], minlength=12)
    np.testing.assert_allclose(counted, 1.0)


def test_images_of_a_pair_link_by_the_strongest() -> None:
    # Two links between the same two centres must not add up.
    groups = charge_groups(2, np.array([0, 0]), np.array([1, 1]), np.array([0.2, 0.5]))
    joined = [w for g, w in enumerate(groups.weight) if (groups.group == g).sum() == 2]
    assert joined == pytest.approx([0.5])


def test_a_vanishing_centre_does_not_tie_its_neighbours_together() -> None:
    positions = np.outer([0.0, 4.8, 2.4], [1, 0, 0])  # two atoms, and what lies between them
    joined = []
    for weight in (0.8, 1e-9):
        graph = build_graph([6, 8, 0], positions, 5.0, weights=[1, 1, weight])
        together = graph.group[(graph.member == 0)][:, None] == graph.group[graph.member == 1]
        joined.append(
            graph.group_weight[graph.group[graph.member == 0]][together.any(1)].sum().item()
        )
    direct = smooth_switch((4.8 / 5.0 - 0.8) / 0.2)
    np.testing.assert_allclose(joined, [0.8, float(direct)])


def test_far_apart_molecules_are_different_groups() -> None:
    graph = build_graph([1, 1, 1, 1], [[0, 0, 0], [0, 0, 1], [0, 0, 30], [0, 0, 31]], 5.0)
    assert graph.group.tolist() == [0, 0, 1, 1]


def test_a_batch_keeps_its_structures_apart(rng: np.random.Generator) -> None:
    graphs = [build_graph([1] * n, rng.normal(size=(n, 3)), 5.0) for n in (2, 3, 1)]
    batch = collate(graphs)
    assert batch.structure.tolist() == [0, 0, 1, 1, 1, 2]
    assert batch.n_structures == 3
    assert batch.n_groups == 3
    torch.testing.assert_close(
        batch.structure[batch.source], batch.structure[batch.target], rtol=0, atol=0
    )
    ends = batch.positions[batch.source] - batch.positions[batch.target]
    torch.testing.assert_close(batch.vectors, ends)


def test_converting_a_graph_leaves_its_indices_alone() -> None:
    graph = build_graph([1, 8], [[0, 0, 0], [0, 0, 1]], 5.0).to(torch.float32)
    assert graph.vectors.dtype == graph.weights.dtype == torch.float32
    assert graph.source.dtype == graph.numbers.dtype == torch.int64


def test_single_precision_holds_far_from_the_origin() -> None:
    positions = np.array([[0.0, 0, 0], [0, 0, 1.234567]])
    near = build_graph([1, 8], positions, 5.0).to(torch.float32)
    far = build_graph([1, 8], positions + 5000.0, 5.0).to(torch.float32)
    torch.testing.assert_close(far.vectors, near.vectors, rtol=0, atol=1e-6)
