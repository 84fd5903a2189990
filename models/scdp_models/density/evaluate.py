"""Densities on grids and at points; chooses the kernel."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, overload

import numpy as np

from scdp_models.density.grids import check_grid, grid_points, why_not_separable
from scdp_models.density.reference import pairwise_density
from scdp_models.density.separable import separable_density
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["METHODS", "evaluate_at_points", "evaluate_on_grid"]

METHODS = ("auto", "separable", "reference")
"""What :func:`evaluate_on_grid` knows."""

# Points that the pairwise kernel is given at once.
_N_POINTS = 2**18


def evaluate_on_grid(
    density: OrbitalDensity,
    origin: ArrayLike,
    cell: ArrayLike,
    shape: Sequence[int],
    *,
    method: str = "auto",
    tolerance: float = 1e-6,
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
    method
        ``"separable"`` for right-angled grids, ``"reference"`` for any (pairwise, slow), ``"auto"``
        for the first where it can.
    tolerance
        Largest error of the separable kernel at any point, e/Å^3.

    Returns
    -------
    numpy.ndarray
        Shape `shape`, e/Å^3.

    Raises
    ------
    DensityError
        If the grid is malformed, the method unknown, or separable is asked for where it cannot be.

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
    if method not in METHODS:
        close = get_close_matches(str(method), METHODS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        msg = f"unknown method {method!r}, expected one of {', '.join(METHODS)}{hint}"
        raise DensityError(msg)
    if not (np.isfinite(tolerance) and tolerance > 0):
        msg = f"tolerance is {tolerance}, expected a positive number of e/Å^3"
        raise DensityError(msg)
    origin, cell, sizes = check_grid(origin, cell, shape)
    obstacle = why_not_separable(density, cell)
    if method == "separable" and obstacle is not None:
        msg = f"{obstacle}; use method 'reference' or 'auto'"
        raise DensityError(msg)
    if method == "reference" or obstacle is not None:
        return _pairwise_on_grid(density, origin, cell, sizes)
    return separable_density(density, origin, cell, sizes, tolerance=tolerance)


def _pairwise_on_grid(
    density: OrbitalDensity,
    origin: NDArray[np.float64],
    cell: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> NDArray[np.float64]:
    out = np.empty(shape)
    step = max(1, _N_POINTS // (shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        planes = slice(start, start + step)
        points = grid_points(origin, cell, shape, planes=planes)
        out[planes] = pairwise_density(density, points).reshape(-1, *shape[1:])
    return out


@overload
def evaluate_at_points(
    density: OrbitalDensity, points: ArrayLike, *, gradient: Literal[False] = False
) -> NDArray[np.float64]: ...


@overload
def evaluate_at_points(
    density: OrbitalDensity, points: ArrayLike, *, gradient: Literal[True]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


def evaluate_at_points(
    density: OrbitalDensity, points: ArrayLike, *, gradient: bool = False
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

    Returns
    -------
    density : numpy.ndarray
        Shape ``(n_points,)``, e/Å^3.
    gradient : numpy.ndarray
        Shape ``(n_points, 3)``, e/Å^4; only where asked for.

    Raises
    ------
    DensityError
        If the points have another shape or are not finite.
    """
    if gradient:
        return pairwise_density(density, points, gradient=True)
    return pairwise_density(density, points)
