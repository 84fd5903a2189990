"""Structures as graphs: neighbour lists, batches, connected components."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from scdp_models.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "SHORTEST_DISTANCE",
    "AtomGraph",
    "ChargeGroups",
    "Neighbours",
    "build_graph",
    "charge_groups",
    "checked_structure",
    "collate",
    "find_neighbours",
    "smooth_switch",
]

SHORTEST_DISTANCE = 1e-3
"""Centres closer than this (Å) are taken for one given twice."""

_FULL_LINK = 0.8


def smooth_switch(x: ArrayLike) -> NDArray[np.float64]:
    """Return 1 below 0, 0 above 1 and a quintic with two continuous derivatives between."""
    t = np.clip(np.asarray(x, dtype=float), 0.0, 1.0)
    return np.asarray(1 - t**3 * (10 - 15 * t + 6 * t**2))


@dataclass(frozen=True)
class Neighbours:
    """All ordered pairs within a cut-off.

    Attributes
    ----------
    source, target
        Shape ``(n_edges,)``: indices of the two ends.
    shift
        Shape ``(n_edges, 3)``, Å: added to ``positions[source]`` to reach the image meant.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    shift: NDArray[np.float64]


def _checked_points(positions: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(positions, dtype=float)
    if points.ndim != 2 or points.shape[1] != 3:
        msg = f"positions have shape {points.shape}; expected (n, 3) in Å"
        raise GraphError(msg)
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        msg = f"the position of centre {bad} is not finite: {points[bad]}; correct the structure"
        raise GraphError(msg)
    return points


def _checked_cell(cell: ArrayLike | None, pbc: Sequence[bool]) -> NDArray[np.float64]:
    if cell is None:
        msg = f"pbc is {tuple(pbc)} but there is no cell; give cell (3, 3) in Å"
        raise GraphError(msg)
    lattice = np.asarray(cell, dtype=float)
    if lattice.shape != (3, 3) or not np.isfinite(lattice).all():
        msg = f"the cell is {lattice.tolist()}; give three lattice vectors as rows (3, 3) in Å"
        raise GraphError(msg)
    volume = abs(np.linalg.det(lattice))
    if volume < 1e-6 * np.linalg.norm(lattice, axis=1).max() ** 3:
        msg = f"the cell vectors are (nearly) coplanar, volume {volume:.3g} Å^3; check the cell"
        raise GraphError(msg)
    return lattice


def _images(
    cell: NDArray[np.float64], cutoff: float, pbc: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """List the lattice translations that bring atoms of the cell within the cut-off of others."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    # Inside the cell, fractional coordinates differ by less than one (to rounding).
    counts = np.where(pbc, np.ceil(cutoff / heights + 1e-6), 0).astype(int)
    ranges = [range(-n, n + 1) for n in counts]
    return np.array(list(product(*ranges)), dtype=float) @ cell


def find_neighbours(
    positions: ArrayLike,
    cutoff: float,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
    smallest: float = SHORTEST_DISTANCE,
) -> Neighbours:
    """Find all ordered pairs closer than a cut-off, periodic images included.

    Parameters
    ----------
    positions
        Shape ``(n, 3)``, Å; atoms may lie outside the cell.
    cutoff
        Å.
    cell, pbc
        Lattice vectors as rows (Å) and periodicity.
    smallest
        Å; centres closer than this are refused.

    Raises
    ------
    GraphError
        If two centres coincide, a position is not finite or the cell has no volume.
    """
    points = _checked_points(positions)
    shifts, home = np.zeros((1, 3)), np.zeros_like(points)
    if any(pbc):
        lattice, periodic = _checked_cell(cell, pbc), np.asarray(pbc, dtype=bool)
        shifts = _images(lattice, cutoff, periodic)
        # Atoms are moved into the cell, so that trajectories that left it cost no more images.
        home = np.where(periodic, np.floor(points @ np.linalg.inv(lattice)), 0.0) @ lattice
    inside = points - home
    images = (inside[None] + shifts[:, None]).reshape(-1, 3)
    pairs = cKDTree(inside).sparse_distance_matrix(
        cKDTree(images), cutoff, output_type="coo_matrix"
    )
    image, source = np.divmod(pairs.col.astype(np.int64), max(len(points), 1))
    target = pairs.row.astype(np.int64)
    distance = np.linalg.norm(images[pairs.col] - inside[target], axis=1)
    themselves = (source == target) & (np.abs(shifts[image]).max(1, initial=0.0) < 1e-12)
    close = np.flatnonzero((distance < smallest) & ~themselves)
    if len(close):
        i, j = source[close[0]], target[close[0]]
        msg = f"centres {i} and {j} are {distance[close[0]]:.2g} Å apart; remove one of them"
        raise GraphError(msg)
    kept = np.flatnonzero(~themselves & (distance < cutoff))
    kept = kept[np.lexsort((image[kept], source[kept], target[kept]))]
    source, target = source[kept], target[kept]
    return Neighbours(source, target, shifts[image[kept]] + home[target] - home[source])


class ChargeGroups(NamedTuple):
    """Groups of centres whose electrons are counted together; see :func:`charge_groups`.

    ``member`` and ``group``, shape ``(n_members,)``, say which centre is in which group;
    ``weight``, shape ``(n_groups,)``, sums to one over the groups of every centre.
    """

    member: NDArray[np.int64]
    group: NDArray[np.int64]
    weight: NDArray[np.float64]


def charge_groups(
    n_nodes: int,
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    strength: NDArray[np.float64],
) -> ChargeGroups:
    """Find the parts of a graph that hold together, in a way that is continuous in its links.

    For a threshold t the groups are the components of the links stronger than t. The average over
    t in (0, 1) gives every group the length of the interval in which it exists as its weight. A
    link that fades therefore merges two groups less and less, while no group ever reaches over
    two components of the graph. Where all links are of strength 1, the groups are the components.

    Parameters
    ----------
    n_nodes
        Number of centres.
    source, target, strength
        Shape ``(n_edges,)``: the links and their strengths in [0, 1].
    """
    cost = 2.0 - strength  # positive, since sparse graphs read 0 as no link
    order = np.argsort(cost, kind="stable")
    pair, first = np.unique((source * n_nodes + target)[order], return_index=True)
    shape = (n_nodes, n_nodes)
    links = csr_matrix((cost[order][first], np.divmod(pair, n_nodes)), shape)
    tree = minimum_spanning_tree(links).tocoo()  # of all trees the one with the strongest links
    levels = np.unique(np.append(2.0 - tree.data, 1.0))[::-1]
    members, groups, weights, n_groups = [], [], [], 0
    for level, below in zip(levels, np.append(levels[1:], 0.0), strict=True):
        kept = 2.0 - tree.data >= level
        bonds = csr_matrix((tree.data[kept], (tree.row[kept], tree.col[kept])), shape)
        count, label = connected_components(bonds, directed=False)
        members.append(np.arange(n_nodes))
        groups.append(label.astype(np.int64) + n_groups)
        weights.append(np.full(count, level - below))
        n_groups += count
    return ChargeGroups(np.concatenate(members), np.concatenate(groups), np.concatenate(weights))


def checked_structure(
    numbers: ArrayLike, positions: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return atomic numbers ``(n,)`` and positions ``(n, 3)`` (Å) as arrays that fit.

    Raises
    ------
    GraphError
        If there are none, or their shapes do not belong together.
    """
    z, points = np.asarray(numbers, dtype=np.int64), np.asarray(positions, dtype=float)
    if z.ndim != 1 or not len(z) or points.shape != (len(z), 3):
        msg = (
            f"numbers and positions have shapes {z.shape} and {points.shape}; expected (n,), (n, 3)"
        )
        raise GraphError(msg)
    return z, points


@dataclass(frozen=True)
class AtomGraph:
    """One structure, or a batch of them, as tensors.

    Attributes
    ----------
    numbers
        Shape ``(n_nodes,)``: atomic numbers, 0 for a virtual orbital centre.
    positions
        Shape ``(n_nodes, 3)``, Å.
    weights
        Shape ``(n_nodes,)``: 1 for atoms, the switch in (0, 1] for virtual centres.
    source, target
        Shape ``(n_edges,)``: node indices; messages go from source to target.
    vectors
        Shape ``(n_edges, 3)``, Å: from target to source, image shifts included. Taken in float64,
        so that a structure far from the origin loses nothing in float32.
    structure
        Shape ``(n_nodes,)``: which structure of the batch a node belongs to.
    member, group, group_weight
        Shapes ``(n_members,)``, ``(n_members,)``, ``(n_groups,)``: see :class:`ChargeGroups`.
    charge, unpaired
        Shape ``(n_structures,)``: total charge in e, and electrons of spin up less those of spin
        down; zeros when left out.
    """

    numbers: torch.Tensor
    positions: torch.Tensor
    weights: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    vectors: torch.Tensor
    structure: torch.Tensor
    member: torch.Tensor
    group: torch.Tensor
    group_weight: torch.Tensor
    charge: torch.Tensor = None  # type: ignore[assignment] # zeros; their number is known later
    unpaired: torch.Tensor = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name in ("charge", "unpaired"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.positions.new_zeros(self.n_structures))

    @property
    def n_nodes(self) -> int:
        """Number of atoms and virtual centres."""
        return len(self.numbers)

    @property
    def n_structures(self) -> int:
        """Number of structures in the batch."""
        return int(self.structure[-1]) + 1 if self.n_nodes else 0

    @property
    def n_groups(self) -> int:
        """Number of groups whose electrons are counted together."""
        return len(self.group_weight)

    def with_state(self, charge: float, unpaired: float = 0.0) -> AtomGraph:
        """Return the graph of one structure in another electronic state.

        Parameters
        ----------
        charge
            Total charge, e.
        unpaired
            Electrons of spin up less those of spin down, not negative.

        Raises
        ------
        GraphError
            If they are not finite, or more electrons have spin down than up.
        """
        if not np.isfinite([charge, unpaired]).all() or unpaired < 0:
            msg = (
                f"charge is {charge} and unpaired is {unpaired}; give a number of e, and how many "
                "more electrons have spin up than down, not negative"
            )
            raise GraphError(msg)
        like = self.positions
        return replace(self, charge=like.new_tensor([charge]), unpaired=like.new_tensor([unpaired]))

    def to(self, target: torch.device | torch.dtype | str) -> AtomGraph:
        """Move to a device, or convert the floating-point tensors to a dtype."""
        import torch

        moved = {}
        for item in fields(self):
            tensor: torch.Tensor = getattr(self, item.name)
            if isinstance(target, torch.dtype) and not tensor.is_floating_point():
                moved[item.name] = tensor
            else:
                moved[item.name] = tensor.to(target)
        return AtomGraph(**moved)


def build_graph(
    numbers: ArrayLike,
    positions: ArrayLike,
    cutoff: float,
    *,
    weights: ArrayLike | None = None,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> AtomGraph:
    """Turn a structure into a graph in float64.

    Parameters
    ----------
    numbers, positions
        Shapes ``(n,)`` and ``(n, 3)`` (Å).
    cutoff
        Å.
    weights
        Shape ``(n,)``; ones when left out.
    cell, pbc
        Lattice vectors as rows (Å) and periodicity.

    Raises
    ------
    GraphError
        If there are no atoms, a position is not finite, or two centres coincide.
    """
    import torch

    z, points = checked_structure(numbers, positions)
    switch = np.ones(len(z)) if weights is None else np.asarray(weights, dtype=float)
    pairs = find_neighbours(points, cutoff, cell=cell, pbc=pbc)
    source, target = pairs.source, pairs.target
    vectors = points[source] + pairs.shift - points[target]
    ratio = np.linalg.norm(vectors, axis=1) / cutoff
    strength = smooth_switch((ratio - _FULL_LINK) / (1 - _FULL_LINK))
    groups = charge_groups(len(z), source, target, strength * switch[source] * switch[target])
    return AtomGraph(
        numbers=torch.as_tensor(z),
        positions=torch.as_tensor(points),
        weights=torch.as_tensor(switch),
        source=torch.as_tensor(source),
        target=torch.as_tensor(target),
        vectors=torch.as_tensor(vectors),
        structure=torch.zeros(len(z), dtype=torch.int64),
        member=torch.as_tensor(groups.member),
        group=torch.as_tensor(groups.group),
        group_weight=torch.as_tensor(groups.weight),
    )


def collate(graphs: Sequence[AtomGraph]) -> AtomGraph:
    """Join graphs into one batch whose structures do not see each other."""
    import torch

    shifted = []
    nodes = structures = groups = 0
    for graph in graphs:
        shifted.append(
            replace(
                graph,
                source=graph.source + nodes,
                target=graph.target + nodes,
                structure=graph.structure + structures,
                member=graph.member + nodes,
                group=graph.group + groups,
            )
        )
        nodes += graph.n_nodes
        structures += graph.n_structures
        groups += graph.n_groups
    return AtomGraph(
        **{f.name: torch.cat([getattr(g, f.name) for g in shifted]) for f in fields(AtomGraph)}
    )
