"""Grids given by origin, cell and shape: checks, points, and axes for the separable kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["align_with_axes", "check_grid", "checked_points", "grid_points", "why_not_separable"]

# A grid may miss the right angle by what moves none of its points by more than this, in Å.
_ANGLE_TOLERANCE = 1e-8


def check_grid(
    origin: ArrayLike, cell: ArrayLike, shape: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, int, int]]:
    """Return origin (3,), cell (3, 3) and shape as arrays and integers of the right form.

    Raises
    ------
    DensityError
        If one is of another form, not finite, or the cell has no volume.
    """
    origin, cell = np.asarray(origin, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    for name, array, expected in (("origin", origin, (3,)), ("cell", cell, (3, 3))):
        if array.shape != expected:
            msg = f"the {name} of a grid has shape {array.shape}, expected {expected} in Å"
            raise DensityError(msg)
        if not np.isfinite(array).all():
            msg = f"the {name} of a grid holds NaN or infinity; give finite values in Å"
            raise DensityError(msg)
    lengths = np.linalg.norm(cell, axis=1)
    if abs(np.linalg.det(cell)) <= 1e-12 * max(float(lengths.prod()), 1e-300):
        msg = f"the cell of a grid has no volume (lengths {lengths} Å); give independent vectors"
        raise DensityError(msg)
    sizes = tuple(shape)
    if len(sizes) != 3 or any(int(n) != n or n < 1 for n in sizes):
        msg = f"a grid has the shape {sizes}, expected three positive whole numbers"
        raise DensityError(msg)
    return origin, cell, (int(sizes[0]), int(sizes[1]), int(sizes[2]))


def grid_points(
    origin: ArrayLike, cell: ArrayLike, shape: Sequence[int], *, planes: slice = slice(None)
) -> NDArray[np.float64]:
    """List the points of a grid, last axis fastest.

    Parameters
    ----------
    origin, cell, shape
        The point (i, j, k) stands at origin + (i/n1, j/n2, k/n3) @ cell (Å).
    planes
        Which indices of the first axis.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_points, 3)``, Å.
    """
    origin, cell, sizes = check_grid(origin, cell, shape)
    fractions = [np.arange(n) / n for n in sizes]
    fractions[0] = fractions[0][planes]
    mesh = np.stack(np.meshgrid(*fractions, indexing="ij"), axis=-1)
    return np.asarray(origin + mesh.reshape(-1, 3) @ cell)


def why_not_separable(density: OrbitalDensity, cell: ArrayLike) -> str | None:
    """Say what keeps a density and a grid from the separable kernel; None if nothing does.

    Parameters
    ----------
    density
        Its periodic lattice vectors must run along the axes of the grid.
    cell
        Shape ``(3, 3)``, Å, of the grid; its rows must be orthogonal, in any orientation.
    """
    cell = np.asarray(cell, dtype=np.float64)
    lengths = np.linalg.norm(cell, axis=1)
    axes = cell / lengths[:, None]
    if np.abs((axes @ axes.T - np.eye(3)) * lengths).max() > _ANGLE_TOLERANCE:
        return "the axes of the grid are not orthogonal to each other"
    if density.cell is None or not any(density.pbc):
        return None
    lattice = density.cell[list(density.pbc)] @ axes.T
    along = np.abs(lattice).argmax(axis=1)
    across = lattice.copy()
    across[np.arange(len(lattice)), along] = 0.0
    # Off by this much per cell, a sum over tens of images is still exact to the same order.
    if np.abs(across).max() > _ANGLE_TOLERANCE or len(set(along.tolist())) < len(along):
        return "a periodic lattice vector of the density does not run along an axis of the grid"
    return None


def align_with_axes(
    density: OrbitalDensity, origin: ArrayLike, cell: ArrayLike, shape: Sequence[int]
) -> tuple[
    OrbitalDensity,
    tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    tuple[float | None, float | None, float | None],
]:
    """Turn a density into the frame of a right-angled grid.

    Returns
    -------
    density : OrbitalDensity
        Rotated (or reflected), so that the grid axes are x, y and z.
    coordinates : tuple of numpy.ndarray
        Ascending coordinates of the grid points along each axis, Å.
    periods : tuple of float or None
        Length of the density's lattice vector along each axis, Å; None where not periodic.

    Raises
    ------
    DensityError
        If grid and density do not separate.
    """
    start, cell, sizes = check_grid(origin, cell, shape)
    obstacle = why_not_separable(density, cell)
    if obstacle is not None:
        msg = f"{obstacle}; use method 'reference' or 'auto'"
        raise DensityError(msg)
    lengths = np.linalg.norm(cell, axis=1)
    axes = cell / lengths[:, None]
    if not np.array_equal(axes, np.eye(3)):
        density, start = density.rotated(axes), axes @ start
    coordinates = [o + l * np.arange(n) / n for o, l, n in zip(start, lengths, sizes, strict=True)]
    periods: list[float | None] = [None, None, None]
    if density.cell is not None:
        for row in density.cell[list(density.pbc)]:
            axis = int(np.abs(row).argmax())
            periods[axis] = float(abs(row[axis]))
    x, y, z = coordinates
    return density, (x, y, z), (periods[0], periods[1], periods[2])


def checked_points(points: ArrayLike) -> NDArray[np.float64]:
    """Return points as an array of shape ``(n_points, 3)``, Å.

    Raises
    ------
    DensityError
        If they have another shape or are not finite.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        msg = f"points have shape {points.shape}, expected (n_points, 3) in Å"
        raise DensityError(msg)
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        msg = f"{bad} of {len(points)} points hold NaN or infinity; give finite ones in Å"
        raise DensityError(msg)
    return points
