"""The compiled loops of the radial-table kernel: over points in boxes, and over rows of a grid."""

from __future__ import annotations

from math import factorial, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.compiled import compile_loops
from scdp_models.density.table_types import HIGHEST_DEGREE
from scdp_models.density.vector_code import octave_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.table_types import Bins, RadialTable, Rows

    Vector = NDArray[np.float64]

__all__ = ["add_points", "add_rows"]

_N = HIGHEST_DEGREE + 1


def _recursion() -> tuple[Vector, Vector, Vector]:
    """Return factors of (l - m) P_l = (2l - 1) z P_(l-1) - (l + m - 1) r^2 P_(l-2), and norms.

    P_lm is r^(l-m) times the m-th derivative of the Legendre polynomial; see
    :func:`scdp_models.harmonics.solid_harmonic_matrix` for the norm. It holds P_mm too.
    """
    one, two, norms = np.zeros((_N, _N)), np.zeros((_N, _N)), np.zeros((_N, _N))
    for l in range(_N):
        for m in range(l + 1):
            if l > m:
                one[l, m], two[l, m] = (2 * l - 1) / (l - m), (l + m - 1) / (l - m)
            double = factorial(2 * m) // (2**m * factorial(m))
            weight = (2 if m else 1) * factorial(l - m) / factorial(l + m)
            norms[l, m] = double * sqrt((2 * l + 1) / (4 * pi) * weight)
    return one, two, norms


_ONE, _TWO, _NORM = _recursion()


@compile_loops
def _set_harmonics(out: Vector, vector: Vector, square: float, lmax: int) -> None:
    """Set r^l Y_lm for all l up to lmax."""
    x, y, z = vector
    cosine, sine = 1.0, 0.0
    for m in range(lmax + 1):
        before, now = 0.0, 1.0
        for l in range(m, lmax + 1):
            if l > m:
                before, now = now, _ONE[l, m] * z * now - _TWO[l, m] * square * before
            scaled = now * _NORM[l, m]
            out[l * l + l + m] = scaled * cosine
            if m > 0:
                out[l * l + l - m] = scaled * sine
        cosine, sine = x * cosine - y * sine, x * sine + y * cosine


@compile_loops
def _find_piece(table: RadialTable, square: float) -> tuple[int, float]:
    """Return the piece that holds a squared distance, and the place in it from -1 to 1."""
    octave, place = octave_of(1.0 + square * table.scale)
    n = min(int(octave), len(table.first) - 1)
    place *= table.pieces[n]
    piece = min(int(place), int(table.pieces[n]) - 1)
    return table.first[n] + piece, 2.0 * (place - piece) - 1.0


@compile_loops
def _look_up(table: RadialTable, harmonics: Vector, vector: Vector, square: float) -> float:
    """Return the density of one centre at one vector, e/Å^3."""
    p, t = _find_piece(table, square)
    c = table.terms
    _set_harmonics(harmonics, vector, square, table.lmax)
    total = 0.0
    for n in range(c.shape[2]):
        high = c[p, 3, n] + t * (c[p, 4, n] + t * c[p, 5, n])
        total += harmonics[n] * (c[p, 0, n] + t * (c[p, 1, n] + t * (c[p, 2, n] + t * high)))
    return total


@compile_loops
def _spread(
    table: RadialTable, harmonics: Vector, vector: Vector, square: float, slope: float
) -> None:
    """Add to the terms, used as sums, what :func:`_look_up` times `slope` takes from each."""
    p, t = _find_piece(table, square)
    _set_harmonics(harmonics, vector, square, table.lmax)
    for q in range(table.terms.shape[1]):
        for n in range(table.terms.shape[2]):
            table.terms[p, q, n] += slope * harmonics[n]
        slope *= t


@compile_loops
def add_points(
    out: Vector, bins: Bins, table: RadialTable, images: Vector, radius: float, *, pull: bool
) -> None:
    """Add one centre and its images (Å) to the points within a radius (Å) of each.

    With `pull` the other way round: `out` holds the slopes of a loss at the points, and what
    follows for the terms of the table is added to these.
    """
    harmonics, vector = np.zeros(table.terms.shape[2]), np.zeros(3)
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    limit = radius * radius
    for image in range(len(images)):
        place = images[image]
        for axis in range(3):
            start = (place[axis] - radius - bins.low[axis]) / bins.width[axis]
            stop = (place[axis] + radius - bins.low[axis]) / bins.width[axis]
            low[axis] = max(int(np.floor(start)), 0)
            high[axis] = min(int(np.floor(stop)), bins.counts[axis] - 1)
        if low[2] > high[2]:
            continue
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                # Neighbouring boxes along the last axis are neighbours in memory.
                row = (i * bins.counts[1] + j) * bins.counts[2]
                for p in range(bins.starts[row + low[2]], bins.starts[row + high[2] + 1]):
                    square = 0.0
                    for axis in range(3):
                        vector[axis] = bins.points[p, axis] - place[axis]
                        square += vector[axis] * vector[axis]
                    if square >= limit:
                        continue
                    if pull:
                        _spread(table, harmonics, vector, square, out[p])
                    else:
                        out[p] += _look_up(table, harmonics, vector, square)


@compile_loops
def add_rows(out: Vector, rows: Rows, table: RadialTable, images: Vector, radius: float) -> None:
    """Add one centre and its images (Å, from the grid's origin) to the planes."""
    low, high = np.zeros(3, np.int64), np.zeros(3, np.int64)
    work = np.zeros(table.terms.shape[2]), np.zeros(3), np.zeros(3)
    for image in range(len(images)):
        place = images[image]
        for axis in range(3):
            middle, norm = 0.0, 0.0
            for n in range(3):
                middle += place[n] * rows.inverse[n, axis]
                norm += rows.inverse[n, axis] ** 2
            reach = radius * np.sqrt(norm)
            low[axis] = int(np.ceil(middle - reach))
            high[axis] = int(np.floor(middle + reach)) + 1
            if not rows.wraps[axis]:
                low[axis] = max(low[axis], 0)
                high[axis] = min(high[axis], rows.sizes[axis])
        for i in range(low[0], high[0]):
            plane = i % rows.sizes[0] if rows.wraps[0] else i
            plane -= rows.first
            if plane < 0 or plane >= len(out):
                continue
            for j in range(low[1], high[1]):
                row = j % rows.sizes[1] if rows.wraps[1] else j
                _add_row(out[plane, row], rows, table, place, (i, j, low[2], high[2], radius), work)


@compile_loops
def _add_row(
    out: Vector,
    rows: Rows,
    table: RadialTable,
    place: Vector,
    line: tuple[int, int, int, int, float],
    work: tuple[Vector, Vector, Vector],
) -> None:
    """Add one image to one row of the grid: the part of it inside a sphere."""
    i, j, low, high, radius = line
    harmonics, vector, start = work
    along, length, square = 0.0, 0.0, 0.0
    for n in range(3):
        start[n] = i * rows.steps[0, n] + j * rows.steps[1, n] - place[n]
        along += start[n] * rows.steps[2, n]
        length += rows.steps[2, n] ** 2
        square += start[n] ** 2
    # |start + k step|^2 < radius^2 between the two solutions of a quadratic equation.
    middle = -along / length
    room = middle * middle - (square - radius * radius) / length
    if room <= 0.0:
        return
    low = max(low, int(np.floor(middle - np.sqrt(room))))
    high = min(high, int(np.ceil(middle + np.sqrt(room))) + 1)
    for k in range(low, high):
        square = 0.0
        for n in range(3):
            vector[n] = start[n] + k * rows.steps[2, n]
            square += vector[n] * vector[n]
        if square < radius * radius:
            point = k % rows.sizes[2] if rows.wraps[2] else k
            out[point] += _look_up(table, harmonics, vector, square)
