"""Lay grids around molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.errors import StructureError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MoleculeBox", "molecule_box"]

_ROUNDING = 1e-9


class MoleculeBox(NamedTuple):
    """An orthorhombic grid around a molecule."""

    origin: NDArray[np.float64]
    """Corner of the box, (3,), Å."""
    cell: NDArray[np.float64]
    """Edges of the box as rows, (3, 3), Å."""
    shape: tuple[int, int, int]
    """Number of grid points along each edge."""


def molecule_box(positions: ArrayLike, *, spacing: float, padding: float) -> MoleculeBox:
    """Lay an orthorhombic grid around a molecule.

    All edges share one spacing, which is the given one (less at most one unit in the last place),
    and the box grows to a whole number of steps that has no prime factor above 7, for fast Fourier
    transforms. The molecule's extent sits in the middle.

    Parameters
    ----------
    positions
        Cartesian positions (n_atoms, 3) in Å.
    spacing
        Largest distance of neighbouring grid points, Å.
    padding
        Smallest distance of an atom from the faces of the box, Å.

    Returns
    -------
    MoleculeBox
        Origin, cell and shape of the grid.

    Raises
    ------
    StructureError
        If spacing or padding are not positive or the positions not finite.

    Examples
    --------
    >>> molecule_box([[0, 0, 0]], spacing=0.5, padding=2.0).shape
    (8, 8, 8)
    """
    places = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    if len(places) == 0 or not np.isfinite(places).all():
        message = "a box needs at least one atom and finite coordinates in Å"
        raise StructureError(message)
    if not (spacing > 0 and padding > 0):
        message = f"spacing ({spacing}) and padding ({padding}) of a box must be positive, in Å"
        raise StructureError(message)
    lowest, highest = places.min(axis=0), places.max(axis=0)
    # One rounding step below, so that length / points is never above the given spacing.
    step = float(np.nextafter(spacing, 0.0))
    # The small number keeps a whole number of steps from becoming one more by rounding.
    wanted = np.ceil((highest - lowest + 2 * padding) / spacing - _ROUNDING)
    n1, n2, n3 = (_smooth(int(count)) for count in wanted)
    lengths = step * np.array([n1, n2, n3])
    origin = (lowest + highest - lengths) / 2
    return MoleculeBox(origin, np.diag(lengths), (n1, n2, n3))


def _smooth(count: int) -> int:
    """Return the first number from ``count`` on without prime factors above 7."""
    while True:
        rest = count
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return count
        count += 1
