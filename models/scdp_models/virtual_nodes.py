"""Virtual orbital centres at bond midpoints, switched on smoothly as a bond forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.errors import GraphError
from scdp_models.graph import SHORTEST_DISTANCE, checked_structure, find_neighbours, smooth_switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["COVALENT_RADII", "METALS", "Midpoints", "bond_midpoints", "bond_switch"]

# Covalent radii in Å, H to Kr (Cordero et al., Dalton Trans. 2008, 2832; low-spin Mn, Fe, Co).
_RADII = (
    "0.31 0.28 1.28 0.96 0.84 0.76 0.71 0.66 0.57 0.58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 "
    "2.03 1.76 1.70 1.60 1.53 1.39 1.39 1.32 1.26 1.24 1.32 1.22 1.22 1.20 1.19 1.20 1.20 1.16"
)
COVALENT_RADII: dict[int, float] = {z: float(r) for z, r in enumerate(_RADII.split(), start=1)}
"""Atomic number → covalent radius in Å."""

METALS = frozenset({3, 4, 11, 12, 13, *range(19, 32)})
"""Atomic numbers of the metals, H to Kr: Li, Be, Na, Mg, Al and K to Ga."""

_FULL, _NONE = 1.2, 1.45


class Midpoints(NamedTuple):
    """Bond midpoints: positions ``(n, 3)`` in Å and switch values ``(n,)`` in (0, 1]."""

    positions: NDArray[np.float64]
    weights: NDArray[np.float64]


def bond_switch(ratio: ArrayLike) -> NDArray[np.float64]:
    """Return 1 for a bond, 0 for no bond, with two continuous derivatives between.

    Parameters
    ----------
    ratio
        Distance divided by the sum of covalent radii: 1 below 1.2, 0 above 1.45.
    """
    return smooth_switch((np.asarray(ratio, dtype=float) - _FULL) / (_NONE - _FULL))


def bond_midpoints(
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> Midpoints:
    """Place one virtual centre in the middle of each bond.

    A pair is bonded to the degree :func:`bond_switch` says, so that the set of centres and all
    their contributions change smoothly when a bond is stretched. Two metals are never bonded: they
    touch in most crystals, where nothing is to be described between them. A midpoint that falls on
    an atom or on another midpoint (the diagonals of a square) adds nothing and is left out.

    Parameters
    ----------
    numbers, positions
        Shapes ``(n,)`` and ``(n, 3)`` (Å).
    cell, pbc
        Lattice vectors as rows (Å) and periodicity.

    Raises
    ------
    GraphError
        If an element has no covalent radius, or two atoms coincide.
    """
    z, points = checked_structure(numbers, positions)
    unknown = sorted(set(z.tolist()) - set(COVALENT_RADII))
    if unknown:
        msg = f"no covalent radius for atomic numbers {unknown}; bond midpoints cover H to Kr"
        raise GraphError(msg)
    radii = np.array([COVALENT_RADII[n] for n in z.tolist()])
    pairs = find_neighbours(points, 2 * _NONE * radii.max(initial=0.1), cell=cell, pbc=pbc)
    vector = points[pairs.source] + pairs.shift - points[pairs.target]
    weight = bond_switch(
        np.linalg.norm(vector, axis=1) / (radii[pairs.source] + radii[pairs.target])
    )
    # Each bond is found from both ends; across a boundary the two midpoints are images.
    first = (pairs.target < pairs.source) | ((pairs.target == pairs.source) & _forward(vector))
    metallic = np.isin(z, list(METALS))
    kept = first & (weight > 0) & ~(metallic[pairs.source] & metallic[pairs.target])
    middles = (points[pairs.target] + 0.5 * vector)[kept]
    return _distinct(Midpoints(middles, weight[kept]), points, cell=cell, pbc=pbc)


def _distinct(
    midpoints: Midpoints,
    atoms: NDArray[np.float64],
    *,
    cell: ArrayLike | None,
    pbc: Sequence[bool],
) -> Midpoints:
    """Drop midpoints on an atom, and of midpoints on one place all but the strongest."""
    order = np.argsort(-midpoints.weights, kind="stable")
    centres = np.concatenate([atoms, midpoints.positions[order]])
    # Twice the shortest distance: what is left must not lie on the edge of what a graph accepts.
    pairs = find_neighbours(centres, 2 * SHORTEST_DISTANCE, cell=cell, pbc=pbc, smallest=0.0)
    doubled = pairs.target[(pairs.source < pairs.target) & (pairs.target >= len(atoms))]
    kept = np.sort(np.delete(order, doubled - len(atoms)))
    return Midpoints(midpoints.positions[kept], midpoints.weights[kept])


def _forward(vector: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pick one of each pair v, -v: the one whose first non-zero component is positive."""
    rounded = np.round(vector, 6)
    leading = np.argmax(rounded != 0, axis=1) if len(vector) else np.zeros(0, int)
    return np.asarray(rounded[np.arange(len(vector)), leading] > 0)
