"""Structures as graphs: neighbour lists, batches, connected components."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from scdp_models.errors import GraphError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AtomGraph", "Neighbours", "build_graph", "collate", "find_neighbours"]

_SHORTEST_DISTANCE = 1e-3


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


def _images(
    positions: NDArray[np.float64], cutoff: float, cell: NDArray[np.float64], pbc: Sequence[bool]
) -> NDArray[np.float64]:
    """List the lattice translations (Å) that can bring an atom within the cut-off of another."""
    volume = abs(np.linalg.det(cell))
    areas = np.linalg.norm(np.cross(np.roll(cell, -1, 0), np.roll(cell, -2, 0)), axis=1)
    if volume < 1e-6 * areas.max() ** 1.5:
        msg = f"the cell vectors are (nearly) coplanar, volume {volume:.3g} Å^3; check the cell"
        raise GraphError(msg)
    heights = volume / areas
    fractional = positions @ np.linalg.inv(cell)
    spread = np.ptp(fractional, axis=0) if len(fractional) else np.zeros(3)
    counts = np.where(pbc, np.ceil(cutoff / heights + spread), 0).astype(int)
    ranges = [range(-n, n + 1) for n in counts]
    return np.array(list(product(*ranges)), dtype=float) @ cell


def find_neighbours(
    positions: ArrayLike,
    cutoff: float,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> Neighbours:
    """Find all ordered pairs closer than a cut-off, periodic images included.

    Parameters
    ----------
    positions
        Shape ``(n, 3)``, Å.
    cutoff
        Å.
    cell, pbc
        Lattice vectors as rows (Å) and periodicity.

    Raises
    ------
    GraphError
        If two centres coincide, or the cell has no volume.
    """
    points = np.asarray(positions, dtype=float).reshape(-1, 3)
    shifts = np.zeros((1, 3))
    if any(pbc):
        if cell is None:
            msg = f"pbc is {tuple(pbc)} but there is no cell; give cell (3, 3) in Å"
            raise GraphError(msg)
        shifts = _images(points, cutoff, np.asarray(cell, dtype=float), pbc)
    images = (points[None] + shifts[:, None]).reshape(-1, 3)
    pairs = cKDTree(points).sparse_distance_matrix(
        cKDTree(images), cutoff, output_type="coo_matrix"
    )
    image, source = np.divmod(pairs.col.astype(np.int64), max(len(points), 1))
    target = pairs.row.astype(np.int64)
    distance = np.linalg.norm(images[pairs.col] - points[target], axis=1)
    themselves = (source == target) & (np.abs(shifts[image]).max(1, initial=0.0) < 1e-12)
    close = np.flatnonzero((distance < _SHORTEST_DISTANCE) & ~themselves)
    if len(close):
        i, j = source[close[0]], target[close[0]]
        msg = f"centres {i} and {j} are {distance[close[0]]:.2g} Å apart; remove one of them"
        raise GraphError(msg)
    kept = np.flatnonzero(~themselves & (distance < cutoff))
    kept = kept[np.lexsort((image[kept], source[kept], target[kept]))]
    return Neighbours(source[kept], target[kept], shifts[image[kept]])


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
    shift
        Shape ``(n_edges, 3)``, Å; see :class:`Neighbours`.
    structure
        Shape ``(n_nodes,)``: which structure of the batch a node belongs to.
    component
        Shape ``(n_nodes,)``: connected component, counted through the batch.
    """

    numbers: torch.Tensor
    positions: torch.Tensor
    weights: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    shift: torch.Tensor
    structure: torch.Tensor
    component: torch.Tensor

    @property
    def n_nodes(self) -> int:
        """Number of atoms and virtual centres."""
        return len(self.numbers)

    @property
    def n_structures(self) -> int:
        """Number of structures in the batch."""
        return int(self.structure[-1]) + 1 if self.n_nodes else 0

    @property
    def n_components(self) -> int:
        """Number of connected components in the batch."""
        return int(self.component.max()) + 1 if self.n_nodes else 0

    def vectors(self) -> torch.Tensor:
        """Return r_source - r_target of each edge, shape ``(n_edges, 3)``, Å."""
        return self.positions[self.source] + self.shift - self.positions[self.target]

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


def build_graph(  # noqa: PLR0913 - the fields of a structure
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

    z = np.asarray(numbers, dtype=np.int64)
    points = np.asarray(positions, dtype=float)
    if not len(z) or points.shape != (len(z), 3):
        msg = f"{len(z)} atomic numbers for positions of shape {points.shape}; expected (n, 3), n > 0"
        raise GraphError(msg)
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(1))[0])
        msg = f"the position of centre {bad} is not finite: {points[bad]}"
        raise GraphError(msg)
    pairs = find_neighbours(points, cutoff, cell=cell, pbc=pbc)
    links = coo_matrix((np.ones(len(pairs.source)), (pairs.source, pairs.target)), (len(z),) * 2)
    component = connected_components(links, directed=False)[1]
    return AtomGraph(
        numbers=torch.as_tensor(z),
        positions=torch.as_tensor(points),
        weights=torch.as_tensor(np.ones(len(z)) if weights is None else np.asarray(weights, float)),
        source=torch.as_tensor(pairs.source),
        target=torch.as_tensor(pairs.target),
        shift=torch.as_tensor(pairs.shift),
        structure=torch.zeros(len(z), dtype=torch.int64),
        component=torch.as_tensor(component.astype(np.int64)),
    )


def collate(graphs: Sequence[AtomGraph]) -> AtomGraph:
    """Join graphs into one batch whose structures do not see each other."""
    import torch

    shifted = []
    nodes = structures = components = 0
    for graph in graphs:
        shifted.append(
            replace(
                graph,
                source=graph.source + nodes,
                target=graph.target + nodes,
                structure=graph.structure + structures,
                component=graph.component + components,
            )
        )
        nodes += graph.n_nodes
        structures += graph.n_structures
        components += graph.n_components
    return AtomGraph(
        **{f.name: torch.cat([getattr(g, f.name) for g in shifted]) for f in fields(AtomGraph)}
    )
