"""Notice meshes of k-points that lack the symmetry of the lattice."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Mesh = tuple[int, int, int]

__all__ = ["lacks_symmetry", "warn_of_mesh"]

_logger = logging.getLogger(__name__)

# Å. Lattices that are strained by some per cent count as what they come from.
_TOLERANCE = 0.3


def lacks_symmetry(cell: NDArray[np.float64], kpoints: _Mesh, kshift: _Mesh = (0, 0, 0)) -> bool:
    """Tell whether a rotation of the lattice takes the mesh of k-points to another one.

    Programs that find symmetry repair that for the perfect crystal, and not once its atoms have
    moved. The density of displaced atoms then holds an anisotropy that does not come from
    their places, and that no equivariant model can learn: 5 % of NMAE in silicon with 2x2x2
    shifted k-points of the primitive cell.

    Parameters
    ----------
    cell
        Shape ``(3, 3)``, Å.
    kpoints, kshift
        Monkhorst-Pack grid; 1 shifts it by half a step.
    """
    points = _points(kpoints, kshift)
    known = _keys(np.concatenate([points, -points]))
    bare = Structure(Lattice(cell), ["H"], [[0.0, 0.0, 0.0]])
    operations = SpacegroupAnalyzer(bare, symprec=_TOLERANCE).get_symmetry_operations()
    # With x -> W x of the places, waves go k -> k W; W and its inverse are both in the group.
    return any(_keys(points @ np.rint(one.rotation_matrix)) - known for one in operations)


def warn_of_mesh(cell: NDArray[np.float64], kpoints: _Mesh, kshift: _Mesh = (0, 0, 0)) -> None:
    """Say once per process and mesh that labels of displaced atoms would be of little use.

    Parameters
    ----------
    cell, kpoints, kshift
        As in :func:`lacks_symmetry`.
    """
    if lacks_symmetry(cell, kpoints, kshift):
        _warn(kpoints, kshift)


@cache
def _warn(kpoints: _Mesh, kshift: _Mesh) -> None:
    shifted = f", shifted by {kshift}," if any(kshift) else ""
    _logger.warning(
        "the k-points %s%s lack the symmetry of the lattice; labels of displaced atoms hold an "
        "anisotropy that no model can learn: leave out the shift, or take a grid with the symmetry",
        kpoints,
        shifted,
    )


def _points(kpoints: _Mesh, kshift: _Mesh) -> NDArray[np.float64]:
    """Return the points, shape ``(n, 3)``, in reciprocal vectors."""
    axes = [(np.arange(n) + 0.5 * s) / n for n, s in zip(kpoints, kshift, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _keys(points: NDArray[np.float64]) -> set[tuple[int, ...]]:
    """Return points that differ by reciprocal vectors as the same whole numbers."""
    scale = 10**6
    return set(map(tuple, (np.rint(points * scale).astype(np.int64) % scale).tolist()))
