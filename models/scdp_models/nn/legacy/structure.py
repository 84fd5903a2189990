"""Edges and virtual nodes by the rules of the published data preparation."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.errors import GraphError
from scdp_models.graph import checked_structure, find_neighbours
from scdp_models.virtual_nodes import COVALENT_RADII

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PublishedEdges", "published_edges", "published_midpoints"]

# Squared distances (Å^2) up to this are a node and itself.
_SAME_PLACE = 1e-6

# The published table has the high-spin radii of these three.
_RADII = COVALENT_RADII | {25: 1.61, 26: 1.52, 27: 1.5}
_ALKALI = frozenset({3, 11, 19})
_METALS = frozenset({3, 4, 5, 11, 12, 13, 14, *range(19, 34)})
# A pair is bonded where distance times this factor is below the sum of radii; the last line whose
# elements are those of the pair counts. 0 stands for any metal.
_DEFAULT_FACTOR = 0.9
_WITH_METAL = {9: 0.8, 6: 0.95, 1: 0.75, 8: 0.85, 7: 0.82}
_PAIR_FACTORS = {
    frozenset({8, 1}): 0.8,
    frozenset({7, 1}): 0.67,
    frozenset({12, 7}): 0.8,
    frozenset({6, 1}): 0.8,
    frozenset({6}): 0.85,
}
_POTASSIUM = (19, 0.95)


class PublishedEdges(NamedTuple):
    """Ordered pairs: ends (source, target) ``(2, n_edges)``, shifts ``(n_edges, 3)`` in Å.

    The vector of an edge is ``coords[target] - coords[source] + shift``.
    """

    ends: NDArray[np.int64]
    shifts: NDArray[np.float64]


def published_edges(
    coords: ArrayLike, cutoff: float, *, cell: ArrayLike | None = None, pbc: bool = False
) -> PublishedEdges:
    """List all ordered pairs up to a cut-off, the cut-off included.

    They are sorted by target, then source, then image. A pair closer than 0.001 Å is left out.

    Parameters
    ----------
    coords
        Shape ``(n_nodes, 3)``, Å: atoms and virtual nodes alike.
    cutoff
        Å.
    cell, pbc
        Lattice vectors as rows (Å), and whether all three directions are periodic.
    """
    points = np.asarray(coords, dtype=float)
    reach = float(np.nextafter(cutoff, np.inf))
    pairs = find_neighbours(points, reach, cell=cell, pbc=(pbc,) * 3, smallest=0.0)
    vectors = points[pairs.source] + pairs.shift - points[pairs.target]
    apart = np.flatnonzero((vectors**2).sum(axis=1) > _SAME_PLACE)
    # Our shifts are the opposite ones, so that images come the other way round.
    order = apart[np.lexsort((-apart, pairs.source[apart], pairs.target[apart]))]
    ends = np.stack([pairs.source[order], pairs.target[order]])
    return PublishedEdges(ends, -pairs.shift[order])


def _bond_factor(pair: frozenset[int]) -> float:
    factor = _DEFAULT_FACTOR
    for element, value in _WITH_METAL.items():
        metallic = len(pair) == 2 and element in pair and pair & _METALS
        if metallic and not (element == 1 and pair & _ALKALI):
            factor = value
    factor = _PAIR_FACTORS.get(pair, factor)
    return _POTASSIUM[1] if _POTASSIUM[0] in pair else factor


def published_midpoints(numbers: ArrayLike, coords: ArrayLike) -> NDArray[np.float64]:
    """Return the virtual nodes of a molecule: midpoints of its bonds.

    Covalent radii with a factor for some pairs of elements; no bond between two metals.

    Parameters
    ----------
    numbers, coords
        Shapes ``(n,)`` and ``(n, 3)`` (Å).

    Returns
    -------
    numpy.ndarray
        Shape ``(n_virtual, 3)``, Å, single precision values, sorted by x, then y, then z.

    Raises
    ------
    GraphError
        If an element has no radius here.
    """
    z, points = checked_structure(numbers, coords)
    unknown = sorted(set(z.tolist()) - set(_RADII))
    if unknown:
        msg = f"no covalent radius for atomic numbers {unknown}; give the virtual nodes yourself"
        raise GraphError(msg)
    single = points.astype(np.float32)
    middles = []
    for i, j in combinations(range(len(z)), 2):
        pair = frozenset({int(z[i]), int(z[j])})
        if pair <= _METALS:
            continue
        distance = np.sqrt(((single[j] - single[i]) ** 2).sum())
        if distance * _bond_factor(pair) < _RADII[int(z[i])] + _RADII[int(z[j])]:
            middles.append(single[i] / 2 + single[j] / 2)
    if not middles:
        return np.zeros((0, 3))
    return np.unique(np.array(middles), axis=0).astype(float)
