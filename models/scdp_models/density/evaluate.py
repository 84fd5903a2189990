"""Densities on grids and at points; chooses the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Unpack, overload

import numpy as np

from scdp_models.density.compiled import is_compiled
from scdp_models.density.fourier import aliasing_errors, fourier_density, shells_of
from scdp_models.density.grids import check_grid, grid_points, why_not_separable
from scdp_models.density.options import METHODS, Accuracy
from scdp_models.density.radial_table import TableGrid, table_density
from scdp_models.density.reference import pairwise_density
from scdp_models.density.screening import images_met, tail_radii
from scdp_models.density.separable import grid_slabs, separable_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.options import Options
    from scdp_models.density.orbital import OrbitalDensity

    Planes = Callable[[slice], NDArray[np.float64]]

__all__ = ["METHODS", "evaluate_at_points", "evaluate_on_grid", "iter_slabs"]

# Points that the pairwise kernel is given at once.
_N_POINTS = 2**18
# Fewer points than this do not pay for the tables of their centres.
_FEW_POINTS = 1000
# Shells of which more images than this meet at a point are cheaper as waves.
_MANY_IMAGES = 0.5
# Bytes that a slab has when nothing else is asked for.
_SLAB_BYTES = 2**26


class _Grid(NamedTuple):
    """A checked grid."""

    origin: NDArray[np.float64]
    cell: NDArray[np.float64]
    shape: tuple[int, int, int]


def evaluate_on_grid(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    **options: Unpack[Options],
) -> NDArray[np.float64]:
    """Evaluate a density on a regular grid.

    Parameters
    ----------
    density
        Molecular or periodic, whatever the grid.
    origin
        Shape ``(3,)``, Å: position of the grid point (0, 0, 0).
    cell
        Shape ``(3, 3)``, Å; the point (i, j, k) stands at origin + (i/n1, j/n2, k/n3) @ cell.
    shape
        Points along each row of `cell`.
    **options
        ``tolerance``: largest error at any point, e/Å^3 (1e-6). ``cutoff``: distance in Å from
        which on pairs of a point and a centre do not count (none). ``threads``. ``method``:
        ``"separable"`` for right-angled grids; ``"table"`` for any; ``"fourier"`` for the grid of
        one cell of a crystal, as waves as far as the grid holds them, the rest by tables;
        ``"reference"``, pairwise, for tests; ``"auto"`` for the quickest that can. See
        :class:`scdp_models.density.options.Options`.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, e/Å^3.

    Raises
    ------
    DensityError
        If the grid is malformed, an option wrong, or a method is asked for where it cannot be.

    Examples
    --------
    >>> from scdp_models.basis.shells import BasisSet, ElementBasis
    >>> from scdp_models.density.orbital import OrbitalDensity
    >>> basis = BasisSet("one s", {1: ElementBasis((0,), (1.0,))})
    >>> atom = OrbitalDensity.from_basis(basis, [1], [[2, 2, 2]], coefficients=[1.0])
    >>> grid = evaluate_on_grid(atom, [0, 0, 0], [[4, 0, 0], [0, 4, 0], [0, 0, 4]], (20, 20, 20))
    >>> bool(abs(grid.sum() * 0.2**3 - atom.n_electrons()) < 1e-4)
    True
    """
    accuracy = Accuracy.of(options)
    grid = _Grid(*check_grid(origin, cell, shape))
    if _choose(density, grid, accuracy) == "separable":
        return separable_density(density, *grid, **options)
    out = np.empty(grid.shape)
    step = max(1, _N_POINTS // (grid.shape[1] * grid.shape[2]))
    planes = _planes(density, grid, accuracy, options)
    for start in range(0, grid.shape[0], step):
        part = slice(start, start + step)
        out[part] = planes(part)
    return out


def iter_slabs(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    *,
    thickness: int | None = None,
    **options: Unpack[Options],
) -> Iterator[NDArray[np.float64]]:
    """Yield a density on a grid slab by slab along the first axis, in bounded memory.

    Parameters
    ----------
    density, origin, cell, shape, **options
        As in :func:`evaluate_on_grid`. Only the method ``"fourier"`` holds the whole grid at once;
        ``"auto"`` takes it for grids that are no larger than a slab.
    thickness
        Planes in a slab; as many as 64 MiB hold when left out. The last slab may be thinner.

    Yields
    ------
    numpy.ndarray
        Shape ``(thickness, n2, n3)``, e/Å^3; a fresh array each time.

    Raises
    ------
    DensityError
        As in :func:`evaluate_on_grid`, or if the thickness is not positive.
    """
    accuracy = Accuracy.of(options)
    grid = _Grid(*check_grid(origin, cell, shape))
    if thickness is None:
        thickness = max(1, _SLAB_BYTES // (8 * grid.shape[1] * grid.shape[2]))
    if thickness < 1:
        msg = f"thickness is {thickness}; give at least one grid plane"
        raise DensityError(msg)
    if _choose(density, grid, accuracy) == "separable":
        yield from grid_slabs(density, *grid, slab=thickness, **options)
        return
    planes = _planes(density, grid, accuracy, options)
    for start in range(0, grid.shape[0], thickness):
        yield planes(slice(start, min(start + thickness, grid.shape[0])))


def _choose(density: OrbitalDensity, grid: _Grid, accuracy: Accuracy) -> str:
    """Return the method to use; refuse one that cannot be."""
    method, obstacle = accuracy.method, why_not_separable(density, grid.cell)
    if obstacle is None and accuracy.cutoff is not None and not is_compiled():
        obstacle = "a cut-off on a grid needs numba"
    if method == "separable" and obstacle is not None:
        msg = f"{obstacle}; use method 'table' or 'auto'"
        raise DensityError(msg)
    if method == "fourier":
        why_not = _why_not_fourier(density, grid, accuracy)
        if why_not is not None:
            msg = f"{why_not}; use method 'table' or 'auto'"
            raise DensityError(msg)
    if method != "auto":
        return method
    return "separable" if obstacle is None else "table"


def _why_not_fourier(density: OrbitalDensity, grid: _Grid, accuracy: Accuracy) -> str | None:
    if density.cell is None or not all(density.pbc):
        return "waves need a density that is periodic along three vectors"
    if not np.allclose(density.cell, grid.cell, rtol=0, atol=1e-9):
        return "waves need the grid of exactly one cell of the density"
    if accuracy.cutoff is not None:
        return "waves have no cut-off"
    return None


def _planes(density: OrbitalDensity, grid: _Grid, accuracy: Accuracy, options: Options) -> Planes:
    """Return the function that evaluates some planes."""
    if accuracy.method == "reference":
        return lambda part: _pairwise_planes(density, grid, accuracy, part)
    waves = np.zeros(len(density.shell_ls), dtype=bool)
    if _why_not_fourier(density, grid, accuracy) is None and accuracy.method != "table":
        waves = _choose_waves(density, grid, accuracy)
    if not waves.any():
        return TableGrid(density, *grid, **options).fill
    half: Options = {**options, "tolerance": accuracy.tolerance / 2}
    whole = fourier_density(shells_of(density, waves), grid.shape, grid.origin)
    sharp = TableGrid(shells_of(density, ~waves), *grid, **half)
    return lambda part: sharp.fill(part) + whole[part]


def _choose_waves(density: OrbitalDensity, grid: _Grid, accuracy: Accuracy) -> NDArray[np.bool_]:
    """Pick the shells to sum as waves; together they stay below half the tolerance."""
    errors = aliasing_errors(density, grid.shape)
    order = np.argsort(errors, kind="stable")
    waves = np.zeros(len(errors), dtype=bool)
    waves[order] = np.cumsum(errors[order]) <= accuracy.tolerance / 2
    if accuracy.method == "auto":
        radii = tail_radii(density, 1e-3 * accuracy.tolerance)
        waves &= images_met(radii, abs(float(np.linalg.det(grid.cell))), 3) > _MANY_IMAGES
        if 8 * np.prod(grid.shape) > _SLAB_BYTES:
            waves[:] = False
    return waves


def _pairwise_planes(
    density: OrbitalDensity, grid: _Grid, accuracy: Accuracy, part: slice
) -> NDArray[np.float64]:
    points = grid_points(*grid, planes=part)
    values = pairwise_density(density, points, cutoff=accuracy.cutoff)
    return values.reshape(-1, *grid.shape[1:])


@overload
def evaluate_at_points(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: Literal[False] = False,
    **options: Unpack[Options],
) -> NDArray[np.float64]: ...


@overload
def evaluate_at_points(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: Literal[True],
    **options: Unpack[Options],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


def evaluate_at_points(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: bool = False,
    **options: Unpack[Options],
) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evaluate a density, and on request its gradient, at any points.

    Parameters
    ----------
    density
        Molecular or periodic; the points need not lie in the cell.
    points
        Shape ``(n_points, 3)``, Å.
    gradient
        Whether to return the gradient too.
    **options
        As in :func:`evaluate_on_grid`; methods are ``"table"``, ``"reference"`` and ``"auto"``. Few
        points and gradients are computed pairwise, to rounding, unless the table is asked for.

    Returns
    -------
    density : numpy.ndarray
        Shape ``(n_points,)``, e/Å^3.
    gradient : numpy.ndarray
        Shape ``(n_points, 3)``, e/Å^4; only where asked for.

    Raises
    ------
    DensityError
        If the points have another shape or are not finite, or an option is wrong.
    """
    accuracy = Accuracy.of(options)
    if accuracy.method not in {"auto", "table", "reference"}:
        msg = f"method {accuracy.method!r} needs a grid; for points: auto, table, reference"
        raise DensityError(msg)
    if gradient:
        return pairwise_density(density, points, gradient=True, cutoff=accuracy.cutoff)
    few = np.shape(points)[:1] < (_FEW_POINTS,)
    if accuracy.method == "reference" or (accuracy.method == "auto" and few):
        return pairwise_density(density, points, cutoff=accuracy.cutoff)
    return table_density(density, points, **options)
