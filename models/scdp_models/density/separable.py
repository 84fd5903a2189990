"""Densities on right-angled grids: separable, screened, and smooth parts on few points only.

On a grid along orthogonal axes a Gaussian is a product of three one-dimensional ones, so that a
shell needs 3 n exponentials instead of n^3, and its sum over grid points is a matrix product.

Sharp shells are evaluated only where their coefficients leave more than a share of the tolerance:
in spheres by compiled loops (:mod:`scdp_models.density.tiles`) or, where numba is missing, in
boxes by BLAS (:mod:`scdp_models.density.boxes`). Smooth shells are those so wide that their images
overlap many times in a periodic cell, and, without numba, all that are smooth on the scale of the
grid. Their images are summed in the one-dimensional tables, and they are evaluated on about half
of the points of each axis and carried to the others by :mod:`scdp_models.density.interpolation`.

Everything runs in float64. The sum of all neglected tails and of the interpolation error is
bounded by the tolerance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np

from scdp_models.density.boxes import CHUNK, Axes, Periods, add_gaussians
from scdp_models.density.cartesian import CartesianGaussians, axis_tables, from_shells
from scdp_models.density.compiled import is_compiled
from scdp_models.density.grids import align_with_axes
from scdp_models.density.interpolation import (
    AxisInterpolation,
    ColumnSpan,
    every_point,
    interpolate_axis,
)
from scdp_models.density.options import Accuracy
from scdp_models.density.screening import (
    images_met,
    shared_radii,
    shell_amplitudes,
    tail_radii,
)
from scdp_models.errors import DensityError
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.options import Options
    from scdp_models.density.orbital import OrbitalDensity
    from scdp_models.density.sharp import SharpShells

__all__ = ["grid_slabs", "separable_density"]

# Share of the points of an axis that smooth Gaussians may ask for, and the logarithm of the
# accuracy at which that is counted. The optimum is flat between 0.5 and 0.7.
_SMOOTH_SHARE = 0.6
_LOG_ACCURACY = 22.0
# Smooth values on more points than this are made anew for each slab instead of once.
_LARGEST_COARSE_GRID = 2**25
# Shells of which more than this many images meet at a point are summed over images in tables.
_MANY_IMAGES = 16.0


class _Smooth(NamedTuple):
    """The smooth part: what to evaluate on the chosen points, and the way to all points."""

    gaussians: CartesianGaussians
    axes: Axes
    interpolation: list[AxisInterpolation]
    values: NDArray[np.float64] | None


class _Plan(NamedTuple):
    """All that does not depend on the slab."""

    axes: Axes
    periods: Periods
    sharp: CartesianGaussians | SharpShells
    smooth: _Smooth | None


def separable_density(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    **options: Unpack[Options],
) -> NDArray[np.float64]:
    """Evaluate a density on a right-angled grid.

    Parameters
    ----------
    density
        A molecule, or a crystal whose periodic lattice vectors run along the grid axes (the grid
        may cover a part of the cell, or several cells).
    origin
        Shape ``(3,)``, Å: position of the grid point (0, 0, 0).
    cell
        Shape ``(3, 3)``, Å; rows are orthogonal to each other, in any orientation.
    shape
        Points along the rows of `cell`; the point (i, j, k) stands at
        origin + (i/n1, j/n2, k/n3) @ cell.
    **options
        Tolerance, cut-off and threads; see :class:`scdp_models.density.options.Options`.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, e/Å^3, float64.

    Raises
    ------
    DensityError
        If the grid is not right-angled, a lattice vector of the density runs askew to it, or a
        cut-off is asked for without numba.
    """
    plan = _prepare(density, origin, cell, shape, Accuracy.of(options))
    n_x, n_y, n_z = (len(x) for x in plan.axes)
    out = np.empty((n_x, n_y, n_z))
    step = max(1, CHUNK // (n_y * n_z))
    for start in range(0, n_x, step):
        planes = slice(start, min(start + step, n_x))
        _fill(plan, planes, out[planes])
    return out


def grid_slabs(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    *,
    slab: int = 32,
    **options: Unpack[Options],
) -> Iterator[NDArray[np.float64]]:
    """Yield a density slab by slab along the first axis, for grids that do not fit in memory.

    Parameters
    ----------
    density, origin, cell, shape, **options
        As in :func:`separable_density`.
    slab
        Thickness in points; the last slab may be thinner.

    Yields
    ------
    numpy.ndarray
        Shape ``(slab, n2, n3)``, e/Å^3; a fresh array each time.

    Raises
    ------
    DensityError
        As in :func:`separable_density`, or if `slab` is not positive.
    """
    if slab < 1:
        msg = f"slab is {slab}; give at least one grid point"
        raise DensityError(msg)
    plan = _prepare(density, origin, cell, shape, Accuracy.of(options))
    n_x, n_y, n_z = (len(x) for x in plan.axes)
    for start in range(0, n_x, slab):
        planes = slice(start, min(start + slab, n_x))
        out = np.empty((planes.stop - planes.start, n_y, n_z))
        _fill(plan, planes, out)
        yield out


def _prepare(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    accuracy: Accuracy,
) -> _Plan:
    density, axes, periods = align_with_axes(density, origin, cell, shape)
    budget = accuracy.tolerance / 2
    if not is_compiled():
        if accuracy.cutoff is not None:
            msg = "a cut-off on a grid needs numba; install it, or use method 'reference'"
            raise DensityError(msg)
        smooth, others = _split(density, axes, periods, accuracy.tolerance)
        sharp = from_shells(density, others, shared_radii(density, others, budget))
        coarse = _smooth_part(density, smooth, axes, periods, budget) if len(smooth) else None
        return _Plan(axes, periods, sharp, coarse)
    from scdp_models.density.sharp import SharpShells, prepare_shells

    every = np.flatnonzero(shell_amplitudes(density) > 0)
    radii = shared_radii(density, every, budget)
    overlapping = np.zeros(len(every), dtype=bool)
    if accuracy.cutoff is None:
        lengths = [p for p in periods if p is not None]
        overlapping = images_met(radii, float(np.prod(lengths)), len(lengths)) > _MANY_IMAGES
    smooth, others = every[overlapping], every[~overlapping]
    spacing = np.linalg.norm(np.asarray(cell, float), axis=1) / np.asarray(shape)
    prepared = prepare_shells(
        density, others, radii[~overlapping], axes=axes, spacing=spacing, periods=periods
    )
    loops = SharpShells(*prepared, accuracy.cutoff or np.inf, accuracy.threads)
    coarse = _smooth_part(density, smooth, axes, periods, budget) if len(smooth) else None
    return _Plan(axes, periods, loops, coarse)


def _split(
    density: OrbitalDensity, axes: Axes, periods: Periods, tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the shells to interpolate and those to evaluate on every point of their box.

    The spectrum of exp(-a x^2) ends at k = 2 sqrt(a ln(1/accuracy)), the grid at pi/spacing.
    """
    spacings = [x[1] - x[0] for x in axes if len(x) > 1]
    spacing = float(np.exp(np.mean(np.log(spacings)))) if spacings else 1.0
    highest = (_SMOOTH_SHARE * np.pi / spacing / 2) ** 2 / _LOG_ACCURACY
    exponents = density.shell_exponents / BOHR_TO_ANGSTROM**2
    smooth = exponents <= highest
    # A box must not reach its next image: wider shells fill the whole cell anyway.
    widths = np.maximum(tail_radii(density, 1e-3 * tolerance), 3.5 / np.sqrt(exponents))
    for period in periods:
        if period is not None:
            smooth |= 2 * widths > period
    present = shell_amplitudes(density) > 0
    return np.flatnonzero(smooth & present), np.flatnonzero(~smooth & present)


def _smooth_part(
    density: OrbitalDensity,
    shells: NDArray[np.int64],
    axes: Axes,
    periods: Periods,
    budget: float,
) -> _Smooth:
    """Choose the points of each axis on which to evaluate the smooth shells.

    With interpolations P of norm |P| the error is at most e_x + |P_x| e_y + |P_x| |P_y| e_z, to
    which tails neglected on the chosen points add |P_x| |P_y| |P_z| times their sum.
    """
    gaussians = from_shells(density, shells, np.full(len(shells), np.inf))
    share, chosen = budget / 6, []
    for span in _spans(gaussians, axes, periods):
        chosen.append(interpolate_axis(span, share))
        share /= chosen[-1].norm
    if np.prod([float(len(c.points)) for c in chosen]) > _LARGEST_COARSE_GRID:
        chosen[0] = every_point(len(axes[0]))
    x, y, z = (points[c.points] for points, c in zip(axes, chosen, strict=True))
    if not any(periods):
        gaussians = from_shells(density, shells, shared_radii(density, shells, 3 * share))
    if chosen[0].is_identity:
        return _Smooth(gaussians, (x, y, z), chosen, None)
    values = np.zeros((len(x), len(y), len(z)))
    add_gaussians(values, (x, y, z), gaussians, periods)
    return _Smooth(gaussians, (x, y, z), chosen, values)


def _spans(gaussians: CartesianGaussians, axes: Axes, periods: Periods) -> list[ColumnSpan]:
    """Collect the functions of each axis, scaled by the largest value of what multiplies them."""
    spans = [ColumnSpan.empty(len(x)) for x in axes]
    step = max(1, CHUNK // (gaussians.tensors.shape[1] * max(len(x) for x in axes)))
    for start in range(0, len(gaussians), step):
        part = gaussians.take(slice(start, start + step))
        size = part.tensors.shape[1]
        rows, powers = part.rows()
        tables = [
            axis_tables(x, part.exponents, size, centres=part.positions[:, n], period=periods[n])
            for n, x in enumerate(axes)
        ]
        peaks = [np.abs(table).max(axis=2) for table in tables]
        for n, others in enumerate([(1, 2), (0, 2), (0, 1)]):
            tensors = np.abs(np.moveaxis(part.tensors, n + 1, 1))
            factors = (peaks[o] for o in others)
            weights = np.einsum("gijk,gj,gk->gi", tensors, *factors, optimize=True)
            spans[n] = spans[n].extended(tables[n][rows, powers] * weights[rows, powers, None])
    return spans


def _fill(plan: _Plan, planes: slice, out: NDArray[np.float64]) -> None:
    """Write some planes of the grid to `out`."""
    if plan.smooth is None:
        out[...] = 0.0
    else:
        _interpolate(plan.smooth, plan.periods, planes, out)
    if isinstance(plan.sharp, CartesianGaussians):
        axes = (plan.axes[0][planes], plan.axes[1], plan.axes[2])
        add_gaussians(out, axes, plan.sharp, plan.periods)
    else:
        plan.sharp.add_to(out, planes)


def _interpolate(
    smooth: _Smooth, periods: Periods, planes: slice, out: NDArray[np.float64]
) -> None:
    """Carry the smooth part to all points of some planes."""
    first, second, third = smooth.interpolation
    if smooth.values is None:
        axes = (smooth.axes[0][planes], smooth.axes[1], smooth.axes[2])
        values = np.zeros([len(x) for x in axes])
        add_gaussians(values, axes, smooth.gaussians, periods)
    else:
        flat = first.matrix[planes] @ smooth.values.reshape(len(first.points), -1)
        values = flat.reshape(-1, *smooth.values.shape[1:])
    if not second.is_identity:
        values = second.matrix @ values
    if third.is_identity:
        out[...] = values
    else:
        # One product over all rows; `out` is a block of whole planes and therefore contiguous.
        flat = values.reshape(-1, values.shape[2])
        np.matmul(flat, third.matrix.T, out=out.reshape(len(flat), -1))
