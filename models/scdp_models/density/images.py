"""Lattice translations: which images of a centre a point of a crystal can see."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["first_image", "image_shifts", "periodic_vectors"]


def periodic_vectors(density: OrbitalDensity) -> NDArray[np.float64]:
    """Return the periodic lattice vectors as rows, ``(n_periodic, 3)``, Å; none for a molecule."""
    if density.cell is None:
        return np.zeros((0, 3))
    return density.cell[list(density.pbc)]


def first_image(vectors: NDArray[np.float64], lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wrap vectors by lattice vectors into the cell that starts at the origin."""
    return vectors - np.floor(vectors @ np.linalg.pinv(lattice)) @ lattice


def image_shifts(lattice: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """List the translations within reach of any point of the cell that starts at the origin.

    Parameters
    ----------
    lattice
        Shape ``(n_periodic, 3)``.
    reach
        In the unit of the lattice.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_images, 3)``; the zero vector alone where nothing is periodic.
    """
    # Columns of the pseudo-inverse are the dual basis: a sphere of radius r spans r |dual|.
    margin = reach * np.linalg.norm(np.linalg.pinv(lattice), axis=0)
    ranges = (range(int(np.ceil(-m)), int(np.floor(1 + m)) + 1) for m in margin)
    shifts = np.array(list(product(*ranges)), dtype=np.float64) @ lattice
    diameter = float(np.linalg.norm(lattice, axis=1).sum())
    return np.asarray(shifts[np.linalg.norm(shifts, axis=1) <= reach + diameter])
