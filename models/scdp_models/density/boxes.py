"""Add Cartesian Gaussians to a right-angled set of points, each in the box it can be seen in.

rho(x, y, z) = sum_r X_r(x) W_r(y, z) with one term r per Gaussian and power of x; X and the factors
of W are one-dimensional tables, the sum over r is one matrix product per box.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.cartesian import axis_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_models.density.cartesian import CartesianGaussians

__all__ = ["CHUNK", "Axes", "Periods", "add_gaussians"]

Axes = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]
"""Ascending coordinates (Å) along x, y and z."""
Periods = tuple[float | None, float | None, float | None]
"""Lattice lengths (Å) along x, y and z; None where not periodic."""

CHUNK = 2**22
"""Elements of the largest intermediate array (32 MiB)."""

# Gaussians of one centre share a box while their radii differ by less than this factor; all whose
# box has fewer points across than the second number share the last one. Tuned by the benchmark.
_BOX_RATIO = 0.6
_SMALLEST_BOX = 9


def add_gaussians(
    out: NDArray[np.float64], axes: Axes, gaussians: CartesianGaussians, periods: Periods
) -> None:
    """Add Gaussians, and their periodic images, to `out`.

    Parameters
    ----------
    out
        Shape ``(len(x), len(y), len(z))``, e/Å^3; changed in place.
    axes
        Coordinates of the points; their spacing need not be uniform.
    gaussians
        Sorted by centre, then by falling radius. Each fills the box of half-width `radii`, around
        every image; those of infinite radius are summed over all images in their tables.
    periods
        Periodicity of the Gaussians, whatever part of space the points cover.
    """
    for centre in _centres(gaussians):
        if np.isinf(centre.radii[0]):
            _add_centre(out, axes, centre, periods)
            continue
        for image in _images(centre, axes, periods):
            x, y, z = (points - shift for points, shift in zip(axes, image, strict=True))
            _add_centre(out, (x, y, z), centre, (None, None, None))


def _centres(gaussians: CartesianGaussians) -> Iterator[CartesianGaussians]:
    """Yield the Gaussians of each centre that have any extent."""
    seen = gaussians.take(np.flatnonzero(gaussians.radii > 0))
    bounds = np.flatnonzero(np.diff(seen.centres, prepend=-1, append=-1))
    for start, stop in pairwise(bounds):
        yield seen.take(slice(start, stop))


def _images(
    centre: CartesianGaussians, axes: Axes, periods: Periods
) -> Iterator[tuple[float, ...]]:
    """Yield the translations (Å) of a centre whose widest box meets the points."""
    choices: list[list[float]] = []
    for points, position, period in zip(axes, centre.positions[0], periods, strict=True):
        if period is None or not len(points):
            choices.append([0.0])
            continue
        low = points[0] - position - centre.radii[0]
        high = points[-1] - position + centre.radii[0]
        images = range(int(np.ceil(low / period)), int(np.floor(high / period)) + 1)
        choices.append([n * period for n in images])
    yield from product(*choices)


def _add_centre(
    out: NDArray[np.float64], axes: Axes, centre: CartesianGaussians, periods: Periods
) -> None:
    """Add the Gaussians of one centre in nested boxes."""
    distances = [points - p for points, p in zip(axes, centre.positions[0], strict=True)]
    box = _box(distances, centre.radii[0])
    inner = [d[part] for d, part in zip(distances, box, strict=True)]
    if not all(len(d) for d in inner):
        return
    size = centre.tensors.shape[1]
    tables = [
        axis_tables(d, centre.exponents, size, period=period)
        for d, period in zip(inner, periods, strict=True)
    ]
    target = out[tuple(box)]
    spacing = max((d[-1] - d[0]) / max(1, len(d) - 1) for d in inner)
    for members in _nested(centre.radii, _SMALLEST_BOX / 2 * spacing):
        slices = _box(inner, centre.radii[members.start])
        if all(part.stop > part.start for part in slices):
            parts = [t[members, :, part] for t, part in zip(tables, slices, strict=True)]
            _add_box(target[tuple(slices)], centre.take(members), parts)


def _box(distances: list[NDArray[np.float64]], radius: float) -> list[slice]:
    """Return the points within `radius` on each axis."""
    bounds = [np.searchsorted(d, [-radius, radius], side="right") for d in distances]
    return [slice(int(low), int(high)) for low, high in bounds]


def _nested(radii: NDArray[np.float64], smallest: float) -> Iterator[slice]:
    """Group falling radii into ranges that share a box."""
    start = 0
    while start < len(radii):
        limit = _BOX_RATIO * radii[start] if radii[start] > smallest else 0.0
        stop = start + int(np.count_nonzero(radii[start:] >= limit))
        yield slice(start, stop)
        start = stop


def _add_box(
    target: NDArray[np.float64],
    gaussians: CartesianGaussians,
    tables: list[NDArray[np.float64]],
) -> None:
    """Add sum_r X_r(x) W_r(y, z) to a part of the points.

    W_r(y, z) = sum_jk T_rjk y^j z^k exp(-a y^2 - a z^2), where r is a Gaussian and a power of x.
    """
    rows, powers = gaussians.rows()
    size = gaussians.tensors.shape[1]
    n_y, n_z = target.shape[1:]
    step = max(1, CHUNK // (n_y * n_z))
    for start in range(0, len(rows), step):
        g, i = rows[start : start + step], powers[start : start + step]
        along_z = gaussians.tensors[g, i] @ tables[2][g, :size]
        plane = tables[1][g, :size].transpose(0, 2, 1) @ along_z
        target += (tables[0][g, i].T @ plane.reshape(len(g), -1)).reshape(target.shape)
