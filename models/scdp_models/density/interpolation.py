"""Few points of an axis from which smooth functions follow on all the others.

Tables of smooth Gaussians on a fine axis have a low numerical rank: a pivoted QR decomposition
picks points that determine the rest, an interpolative decomposition (Cheng, Gimbutas, Martinsson,
Rokhlin, *SIAM J. Sci. Comput.* 26, 1389 (2005)). Unlike interpolation on a uniform coarse grid
it needs no assumption on boundaries, periodicity or positions, and its error is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AxisInterpolation", "ColumnSpan", "every_point", "interpolate_axis"]


class AxisInterpolation(NamedTuple):
    """How to get from few points of an axis to all.

    Attributes
    ----------
    points
        Indices of the points to evaluate at, ascending, shape ``(r,)``.
    matrix
        Shape ``(n_points, r)``: values on all points from those on the chosen ones.
    norm
        Largest row sum of ``|matrix|``, by which an error at the chosen points may grow.
    """

    points: NDArray[np.int64]
    matrix: NDArray[np.float64]
    norm: float

    @property
    def is_identity(self) -> bool:
        """Whether every point was chosen, so that nothing is interpolated."""
        return len(self.points) == len(self.matrix)


class ColumnSpan(NamedTuple):
    """The row space of a tall matrix F, block by block: ``factor.T @ factor = F F^T``.

    Attributes
    ----------
    factor
        Shape ``(n_points, n_points)`` at most in the first direction.
    n_columns
        Columns of F seen so far.
    """

    factor: NDArray[np.float64]
    n_columns: int

    @classmethod
    def empty(cls, n_points: int) -> ColumnSpan:
        """Start without functions on `n_points` points."""
        return cls(np.zeros((0, n_points)), 0)

    def extended(self, functions: NDArray[np.float64]) -> ColumnSpan:
        """Add functions, shape ``(n_functions, n_points)``; memory does not grow with them."""
        stacked = np.concatenate([self.factor, functions])
        if len(stacked) > stacked.shape[1]:
            (stacked,) = qr(stacked, mode="r", overwrite_a=True, check_finite=False)
            stacked = stacked[: stacked.shape[1]]
        return ColumnSpan(stacked, self.n_columns + len(functions))


def every_point(n_points: int) -> AxisInterpolation:
    """Return the interpolation that interpolates nothing."""
    return AxisInterpolation(np.arange(n_points), np.eye(n_points), 1.0)


def interpolate_axis(span: ColumnSpan, tolerance: float) -> AxisInterpolation:
    """Choose points and build the interpolation from them.

    Parameters
    ----------
    span
        The functions, each scaled so that its error counts once.
    tolerance
        At every point the absolute errors of all functions add up to at most this: the columns
        of the trailing triangle bound the sum of squares, Cauchy-Schwarz the sum.

    Returns
    -------
    AxisInterpolation
        All points with a unit matrix where the tolerance allows nothing less.
    """
    n_points = span.factor.shape[1]
    triangle, pivots = qr(span.factor, mode="r", pivoting=True, check_finite=False)
    tails = np.sqrt(np.cumsum((triangle**2)[::-1], axis=0)[::-1]).max(axis=1, initial=0.0)
    errors = np.append(tails * np.sqrt(span.n_columns), 0.0)
    rank = int(np.argmax(errors <= tolerance))
    if rank >= n_points:
        return every_point(n_points)
    chosen, others = pivots[:rank], pivots[rank:]
    matrix = np.zeros((n_points, rank))
    matrix[chosen, np.arange(rank)] = 1.0
    square = triangle[:rank, :rank]
    matrix[others] = solve_triangular(square, triangle[:rank, rank:], check_finite=False).T
    order = np.argsort(chosen)
    norm = float(np.abs(matrix).sum(axis=1).max(initial=1.0))
    return AxisInterpolation(chosen[order], matrix[:, order], norm)
