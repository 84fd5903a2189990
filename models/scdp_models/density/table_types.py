"""What the radial-table kernel hands to its compiled loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["COLUMNS", "HIGHEST_DEGREE", "Bins", "RadialTable", "Rows"]

HIGHEST_DEGREE = 12
"""Largest l that the compiled loops know."""

COLUMNS = 16
"""The width of a table is a multiple of this."""


class RadialTable(NamedTuple):
    """Radial functions of one centre as pieces of polynomials of degree 5.

    Attributes
    ----------
    lmax
        Highest degree.
    scale
        1/s0 in Å^-2: octaves are those of q = 1 + d^2/s0.
    first, pieces
        Shape ``(n_octaves,)``: first piece of each octave and how many it has.
    terms
        Shape ``(n_pieces, 6, width)``: coefficients of 1, t, t^2, ... with t from -1 to 1 along a
        piece, in e/Å^(3 + l). The first (lmax + 1)^2 columns count, the others are zero: whole
        vectors are quicker than their rest.
    """

    lmax: int
    scale: float
    first: Whole
    pieces: Vector
    terms: Vector


class Bins(NamedTuple):
    """Points sorted into boxes.

    Attributes
    ----------
    points
        Shape ``(n_points, 3)``, Å, box after box.
    starts
        Shape ``(n_boxes + 1,)``: first point of each box.
    low, width
        Shape ``(3,)``, Å: corner of the first box and size of each.
    counts
        Shape ``(3,)``: boxes along each axis; the last axis runs fastest.
    """

    points: Vector
    starts: Whole
    low: Vector
    width: Vector
    counts: Whole


class Rows(NamedTuple):
    """Some planes of a grid of any shape.

    Attributes
    ----------
    first
        Index of the first plane.
    sizes
        Shape ``(3,)``, points of the whole grid.
    steps
        Shape ``(3, 3)``, Å: rows are the vectors from point to point.
    inverse
        The inverse of `steps`.
    wraps
        Shape ``(3,)``: whether the grid repeats itself along an axis.
    """

    first: int
    sizes: Whole
    steps: Vector
    inverse: Vector
    wraps: NDArray[np.bool_]
