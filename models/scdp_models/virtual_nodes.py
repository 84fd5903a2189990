"""Virtual orbital centres at bond midpoints, switched on smoothly as a bond forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.errors import GraphError
from scdp_models.graph import find_neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["COVALENT_RADII", "Midpoints", "bond_midpoints", "bond_switch"]

# Covalent radii in Å, H to Kr (Cordero et al., Dalton Trans. 2008, 2832; low-spin Mn, Fe, Co).
_RADII = (
    "0.31 0.28 1.28 0.96 0.84 0.76 0.71 0.66 0.57 0.58 1.66 1.41 1.21 1.11 1.07 1.05 1.02 1.06 "
    "2.03 1.76 1.70 1.60 1.53 1.39 1.39 1.32 1.26 1.24 1.32 1.22 1.22 1.20 1.19 1.20 1.20 1.16"
)
COVALENT_RADII: dict[int, float] = {z: float(r) for z, r in enumerate(_RADII.split(), start=1)}
"""Atomic number → covalent radius in Å."""

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
    x = np.clip((np.asarray(ratio, dtype=float) - _FULL) / (_NONE - _FULL), 0.0, 1.0)
    return np.asarray(1 - x**3 * (10 - 15 * x + 6 * x**2))


def bond_midpoints(
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> Midpoints:
    """Place one virtual centre in the middle of each bond.

    A pair is bonded to the degree :func:`bond_switch` says, so that the set of centres and all
    their contributions change smoothly when a bond is stretched.

    Parameters
    ----------
    numbers, positions
        Shapes ``(n,)`` and ``(n, 3)`` (Å).
    cell, pbc
        Lattice vectors as rows (Å) and periodicity.

    Raises
    ------
    GraphError
        If an element has no covalent radius.
    """
    z = np.asarray(numbers, dtype=np.int64)
    points = np.asarray(positions, dtype=float).reshape(-1, 3)
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
    kept = first & (weight > 0)
    return Midpoints((points[pairs.target] + 0.5 * vector)[kept], weight[kept])


def _forward(vector: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pick one of each pair v, -v: the one whose first non-zero component is positive."""
    rounded = np.round(vector, 6)
    leading = np.argmax(rounded != 0, axis=1) if len(vector) else np.zeros(0, int)
    return np.asarray(rounded[np.arange(len(vector)), leading] > 0)
