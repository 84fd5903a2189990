"""Lattice translations that matter at a point of a periodic structure."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["image_shifts", "periodic_lattice"]


def periodic_lattice(cell: NDArray[np.float64] | None, pbc: Sequence[bool]) -> NDArray[np.float64]:
    """Return the periodic lattice vectors as rows, ``(n_periodic, 3)``; none for a molecule."""
    return np.zeros((0, 3)) if cell is None else np.asarray(cell)[np.asarray(pbc, dtype=bool)]


def image_shifts(lattice: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """List the translations that can bring a vector of the home cell within a distance.

    Parameters
    ----------
    lattice
        Shape ``(n_periodic, 3)``.
    reach
        In the unit of the lattice.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_images, 3)``: a vector whose lattice coordinates lie in [0, 1) is within `reach`
        of the origin plus one of these, if it is so for any image of the origin.
    """
    # Columns of the pseudo-inverse are the dual basis: a sphere of radius r spans r |dual|.
    margin = reach * np.linalg.norm(np.linalg.pinv(lattice), axis=0)
    ranges = (range(int(np.ceil(-m)), int(np.floor(1 + m)) + 1) for m in margin)
    shifts = np.array(list(product(*ranges)), dtype=np.float64) @ lattice
    diameter = float(np.linalg.norm(lattice, axis=1).sum())
    return np.asarray(shifts[np.linalg.norm(shifts, axis=1) <= reach + diameter])
