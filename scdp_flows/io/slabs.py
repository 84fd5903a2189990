"""Densities that come slab by slab, so that no whole grid is ever in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from scdp_flows.density import Augmentation, ChargeDensity

__all__ = ["DensitySlabs", "iter_slabs", "slabs_of"]

_VOXELS = 2**20


@dataclass(frozen=True, eq=False)
class DensitySlabs:
    """Hold the frame of a density, and its values as slabs that are made when asked for.

    A file demands the slabs in its own order: CHGCAR along the last axis (``axis=2``), because the
    first index runs fastest in it, cube files along the first (``axis=0``). Any thickness will do.

    Raises
    ------
    DensityError
        If the axis or the number of grids is impossible.
    """

    grids: tuple[Iterable[NDArray[np.floating]], ...]
    """The total density; with the magnetisation as a second grid, or its three components as
    three more. Each is an iterable of arrays in e/Å^3 which, put together along ``axis``, have
    the shape of the grid. The next is asked for after the end of the one before."""
    shape: tuple[int, int, int]
    """Number of voxels along each edge."""
    axis: int
    """Along which axis the slabs follow each other: 0 or 2."""
    cell: NDArray[np.float64]
    """Edges of the grid as rows (3, 3), Å."""
    origin: NDArray[np.float64]
    """Position of voxel (0, 0, 0), (3,), Å."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Nuclei (n_atoms, 3), Å."""
    pbc: tuple[bool, bool, bool] = (False, False, False)
    """Whether the grid repeats along each edge."""
    augmentation: tuple[Augmentation, ...] | None = None
    """PAW occupancies that belong to each grid."""

    def __post_init__(self) -> None:
        """Check axis and number of grids."""
        if self.axis not in {0, 2}:
            raise DensityError(f"slabs follow each other along axis {self.axis}; expected 0 or 2")
        if len(self.grids) not in {1, 2, 4}:
            raise DensityError(f"{len(self.grids)} grids; expected 1, 2 or 4 (non-collinear)")

    @property
    def volume(self) -> float:
        """The volume of the grid in Å^3."""
        return float(abs(np.linalg.det(self.cell)))

    def require_axis(self, axis: int, name: str) -> None:
        """Refuse slabs along an axis that a format cannot take.

        Raises
        ------
        DensityError
            If the slabs follow each other along another axis.
        """
        if self.axis != axis:
            raise DensityError(f"slabs along axis {self.axis}; {name} needs them along axis {axis}")

    def checked(self, grid: int) -> Iterator[NDArray[np.floating]]:
        """Yield the slabs of one grid, refusing what does not fit.

        Raises
        ------
        DensityError
            If a slab has the wrong shape or is not finite, or they are too few or too many.
        """
        done, expected = 0, self.shape[self.axis]
        for slab in self.grids[grid]:
            wanted = list(self.shape)
            wanted[self.axis] = slab.shape[self.axis] if slab.ndim == 3 else 0
            done += wanted[self.axis]
            if slab.shape != tuple(wanted) or done > expected:
                raise DensityError(
                    f"a slab of the shape {slab.shape} after {done - wanted[self.axis]} of "
                    f"{expected} layers along axis {self.axis} of a grid {self.shape}"
                )
            if not np.isfinite(slab.sum(dtype=np.float64)) and not np.isfinite(slab).all():
                raise DensityError(f"a value in layers up to {done} is not finite")
            yield slab
        if done != expected:
            raise DensityError(f"the slabs end after {done} of {expected} layers")


def iter_slabs(
    values: NDArray[np.floating], axis: int, *, voxels: int = _VOXELS
) -> Iterator[NDArray[np.floating]]:
    """Yield a grid as slabs of about so many voxels, without copying it."""
    layer = math.prod(values.shape) // values.shape[axis]
    thickness = max(voxels // layer, 1)
    for start in range(0, values.shape[axis], thickness):
        end = start + thickness
        yield values[start:end] if axis == 0 else values[..., start:end]


def slabs_of(density: ChargeDensity, axis: int) -> DensitySlabs:
    """Return a density in memory as slabs; nothing is copied."""
    grids = [density.values]
    if density.magnetization is not None:
        grids.append(density.magnetization)
    if density.magnetization_vector is not None:
        grids.extend(density.magnetization_vector)
    return DensitySlabs(
        tuple(iter_slabs(grid, axis) for grid in grids),
        density.shape,
        axis,
        density.cell,
        density.origin,
        density.numbers,
        density.positions,
        density.pbc,
        density.augmentation,
    )
