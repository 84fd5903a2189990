"""The compiled loops of the separable kernel.

Around one centre and on one plane x of the grid the density is sum_r Y_r(y) W_r(z), where a row r
is a shell and a power of y. The plane is cut into tiles of 6 x 8 points, whose values stay in
registers while r runs; rows are sorted by falling radius, so that the sum of a tile ends at the
first shell that cannot be seen there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.density.compiled import compile_loops
from scdp_models.density.vector_code import N_Y, N_Z, add_products, set_polynomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Whole = NDArray[np.int64]

__all__ = ["Planes", "Shells", "add_shells"]


class Planes(NamedTuple):
    """Some planes of a right-angled grid.

    Attributes
    ----------
    first
        Index of the first plane along x.
    sizes
        Shape ``(3,)``, points of the whole grid.
    spacing
        Shape ``(3,)``, Å.
    wraps
        Shape ``(3,)``, whether the grid repeats itself along an axis.
    """

    first: int
    sizes: Whole
    spacing: Vector
    wraps: NDArray[np.bool_]


class Shells(NamedTuple):
    """Shells sorted by centre and falling radius; Å and e/Å^3.

    Attributes
    ----------
    positions
        Shape ``(n_places, 3)``: centres and their images, from the origin of the grid.
    bounds
        Shape ``(n_places, 2)``: first shell of the place, and the one after its last.
    ls, exponents
        Shape ``(n_shells,)``.
    squares
        Shape ``(n_shells,)``, squared radius beyond which a shell need not be seen.
    tensors
        Coefficients of x^(l-j-k) y^j z^k, j outside k, shell after shell.
    first
        Shape ``(n_shells,)``, where the coefficients of a shell begin.
    """

    positions: Vector
    bounds: Whole
    ls: Whole
    exponents: Vector
    squares: Vector
    tensors: Vector
    first: Whole


class _Axis(NamedTuple):
    """Distances from a centre along one axis in blocks, and what depends on nothing else.

    Distances and squares have the shape ``(n_blocks, width)``, nearest ``(n_blocks,)`` and
    exponentials ``(n_blocks, n_shells, width)``; flat ones are views on the same numbers.
    """

    distances: Vector
    squares: Vector
    nearest: Vector
    exponentials: Vector
    flat_distances: Vector
    flat_squares: Vector
    flat_exponentials: Vector


class _Work(NamedTuple):
    """Memory that all centres share.

    Attributes
    ----------
    y, z
        Tables along the two axes.
    rows_y, flat_rows_y
        Y_r of every block, shape ``(n_blocks, n_rows, 6)``, and a flat view of it.
    rows_z
        W_r of every block on one plane, flat: ``(n_blocks * n_rows * 8,)``.
    coefficients
        Those of the tensors times powers and exponentials of x.
    edge
        Limits of the six rows of a tile.
    tile
        Receives a tile that crosses an edge of the grid, shape ``(48,)``.
    ends
        Rows of the first n shells of a centre.
    low, high
        Range of grid points around a centre, shape ``(3,)``.
    """

    y: _Axis
    z: _Axis
    rows_y: Vector
    flat_rows_y: Vector
    rows_z: Vector
    coefficients: Vector
    edge: Vector
    tile: Vector
    ends: Whole
    low: Whole
    high: Whole


class _Line(NamedTuple):
    """One centre on one plane: its place in `out`, first shell, shells seen, x^2 and cut-off^2."""

    plane: int
    first: int
    seen: int
    square: float
    limit: float


@compile_loops
def _new_axis(n_blocks: int, width: int, n_shells: int) -> _Axis:
    distances, squares = np.zeros((n_blocks, width)), np.zeros((n_blocks, width))
    exponentials = np.zeros((n_blocks, n_shells, width))
    flat = distances.reshape(-1), squares.reshape(-1), exponentials.reshape(-1)
    return _Axis(distances, squares, np.zeros(n_blocks), exponentials, flat[0], flat[1], flat[2])


@compile_loops
def _new_work(grid: Planes, shells: Shells, cutoff: float) -> _Work:
    """Make room for the largest centre."""
    n_shells, n_rows, n_terms, reach = 1, 1, 1, 0.0
    for c in range(len(shells.positions)):
        rows, terms = 0, 0
        for s in range(shells.bounds[c, 0], shells.bounds[c, 1]):
            rows += shells.ls[s] + 1
            terms += (shells.ls[s] + 1) * (shells.ls[s] + 2) // 2
            reach = max(reach, min(np.sqrt(shells.squares[s]), cutoff))
        n_shells = max(n_shells, shells.bounds[c, 1] - shells.bounds[c, 0])
        n_rows, n_terms = max(n_rows, rows), max(n_terms, terms)
    counts = np.zeros(3, np.int64)
    for axis in range(3):
        counts[axis] = int(2 * reach / grid.spacing[axis]) + 2
        if not grid.wraps[axis]:
            counts[axis] = min(counts[axis], grid.sizes[axis])
    n_y, n_z = counts[1] // N_Y + 1, counts[2] // N_Z + 1
    rows_y = np.zeros((n_y, n_rows, N_Y))
    return _Work(
        _new_axis(n_y, N_Y, n_shells),
        _new_axis(n_z, N_Z, n_shells),
        rows_y,
        rows_y.reshape(-1),
        np.zeros(n_z * n_rows * N_Z),
        np.zeros(n_terms),
        np.zeros(N_Y),
        np.zeros(N_Y * N_Z),
        np.zeros(n_shells + 1, np.int64),
        np.zeros(3, np.int64),
        np.zeros(3, np.int64),
    )


@compile_loops
def _find_box(work: _Work, n_planes: int, grid: Planes, position: Vector, radius: float) -> bool:
    """Find the grid points around a place; say whether any belongs to the planes."""
    for axis in range(3):
        low = int(np.ceil((position[axis] - radius) / grid.spacing[axis]))
        high = int(np.floor((position[axis] + radius) / grid.spacing[axis])) + 1
        if not grid.wraps[axis]:
            first, last = 0, grid.sizes[axis]
            if axis == 0:
                first, last = grid.first, grid.first + n_planes
            low, high = max(low, first), min(high, last)
        if high <= low:
            return False
        work.low[axis], work.high[axis] = low, high
    return True


@compile_loops
def _fill_axis(
    axis: _Axis, n_blocks: int, line: tuple[float, float], shells: Shells, bounds: Whole
) -> None:
    """Tabulate distances start + n step and exponentials; zero where a shell does not reach."""
    width = axis.distances.shape[1]
    for b in range(n_blocks):
        nearest = np.inf
        for p in range(width):
            d = line[0] + (b * width + p) * line[1]
            axis.distances[b, p] = d
            axis.squares[b, p] = d * d
            nearest = min(nearest, d * d)
        axis.nearest[b] = nearest
        for s in range(bounds[0], bounds[1]):
            seen = shells.squares[s] > nearest
            for p in range(width):
                value = np.exp(-shells.exponents[s] * axis.squares[b, p]) if seen else 0.0
                axis.exponentials[b, s - bounds[0], p] = value


@compile_loops
def _fill_rows_y(work: _Work, n_blocks: int, ls: Whole) -> None:
    """Tabulate y^j times the exponentials, j = 0..l for each shell."""
    for b in range(n_blocks):
        r = 0
        for s in range(len(ls)):
            for j in range(ls[s] + 1):
                for p in range(N_Y):
                    if j == 0:
                        work.rows_y[b, r, p] = work.y.exponentials[b, s, p]
                    else:
                        work.rows_y[b, r, p] = work.rows_y[b, r - 1, p] * work.y.distances[b, p]
                r += 1


@compile_loops
def _fill_coefficients(work: _Work, shells: Shells, line: _Line, x: float) -> None:
    """Multiply the tensors of the shells seen by x^i exp(-a x^2)."""
    n = 0
    for s in range(line.first, line.first + line.seen):
        l, t = shells.ls[s], shells.first[s]
        along = np.exp(-shells.exponents[s] * line.square)
        for j in range(l + 1):
            # k rises, i = l - j - k falls: from the last entry of the row to its first.
            value = along
            for k in range(l - j, -1, -1):
                work.coefficients[n + k] = shells.tensors[t + k] * value
                value *= x
            n += l - j + 1
            t += l - j + 1


@compile_loops
def _fill_rows_z(work: _Work, block: int, ls: Whole) -> None:
    """Make W of some shells for one block of z."""
    r, t = block * work.rows_y.shape[1] * N_Z, 0
    rows, coefficients = work.rows_z, work.coefficients
    distances, exponentials = work.z.flat_distances, work.z.flat_exponentials
    first = block * work.z.exponentials.shape[1]
    for s in range(len(ls)):
        e = (first + s) * N_Z
        for j in range(ls[s] + 1):
            n = ls[s] - j + 1
            set_polynomial(rows, coefficients, distances, exponentials, (r, t, n, block * N_Z, e))
            t += n
            r += N_Z


@compile_loops
def _scatter_tile(
    out: Vector, tile: Vector, plane: int, corner: tuple[int, int], grid: Planes
) -> None:
    """Add the spare tile where it crosses an edge of the grid."""
    n_y, n_z = grid.sizes[1], grid.sizes[2]
    flat, y, before = out.reshape(-1), corner[0], min(N_Z, n_z - corner[1])
    for p in range(N_Y):
        if y >= n_y:
            if not grid.wraps[1]:
                return
            y = 0
        start = (plane * n_y + y) * n_z
        for q in range(before):
            flat[start + corner[1] + q] += tile[p * N_Z + q]
        if grid.wraps[2]:
            z = 0
            for q in range(before, N_Z):
                flat[start + z] += tile[p * N_Z + q]
                z = z + 1 if z + 1 < n_z else 0
        y += 1


@compile_loops
def _first_point(work: _Work, grid: Planes, axis: int) -> int:
    """Return where the box around a centre begins, as an index of the grid."""
    first = work.low[axis]
    return int(first % grid.sizes[axis] if grid.wraps[axis] else first)


@compile_loops
def _add_row(
    out: Vector, grid: Planes, work: _Work, line: _Line, squares: Vector, block: tuple[int, int]
) -> None:
    """Add one block of y, all along z: in the order in which memory is read ahead."""
    a, y = block
    n_y, n_z = grid.sizes[1], grid.sizes[2]
    for p in range(N_Y):
        work.edge[p] = line.limit - line.square - work.y.flat_squares[a * N_Y + p]
    rows, edge, columns = (work.flat_rows_y, work.rows_z), work.edge, work.z.flat_squares
    first_y, stride_z = a * work.rows_y.shape[1] * N_Y, work.rows_y.shape[1] * N_Z
    flat, z, in_tile = out.reshape(-1), _first_point(work, grid, 2), 0
    for b in range((work.high[2] - work.low[2] + N_Z - 1) // N_Z):
        nearest = line.square + work.y.nearest[a] + work.z.nearest[b]
        # Hardly more or fewer shells are seen here than in the tile before.
        while in_tile < len(squares) and squares[in_tile] > nearest:
            in_tile += 1
        while in_tile > 0 and squares[in_tile - 1] <= nearest:
            in_tile -= 1
        if in_tile > 0 and nearest < line.limit:
            n, place, stride = work.ends[in_tile], (line.plane * n_y + y) * n_z + z, n_z
            if y + N_Y <= n_y and z + N_Z <= n_z:
                where = (first_y, b * stride_z, n, place, stride, b * N_Z)
                add_products(rows, flat, edge, columns, where)
            else:
                work.tile[:] = 0.0
                where = (first_y, b * stride_z, n, 0, N_Z, b * N_Z)
                add_products(rows, work.tile, edge, columns, where)
                _scatter_tile(out, work.tile, line.plane, (y, z), grid)
        z += N_Z
        while grid.wraps[2] and z >= n_z:
            z -= n_z


@compile_loops
def _add_plane(out: Vector, grid: Planes, shells: Shells, work: _Work, line: _Line) -> None:
    """Add one centre to one plane."""
    squares = shells.squares[line.first : line.first + line.seen]
    ls = shells.ls[line.first : line.first + line.seen]
    for b in range((work.high[2] - work.low[2] + N_Z - 1) // N_Z):
        nearest = line.square + work.z.nearest[b]
        seen = line.seen
        while seen > 0 and squares[seen - 1] <= nearest:
            seen -= 1
        if seen > 0 and nearest < line.limit:
            _fill_rows_z(work, b, ls[:seen])
    y = _first_point(work, grid, 1)
    for a in range((work.high[1] - work.low[1] + N_Y - 1) // N_Y):
        _add_row(out, grid, work, line, squares, (a, y))
        y += N_Y
        while grid.wraps[1] and y >= grid.sizes[1]:
            y -= grid.sizes[1]


@compile_loops
def _add_centre(
    out: Vector, grid: Planes, shells: Shells, work: _Work, place: int, cutoff: float
) -> None:
    """Add one centre to all planes that its box meets."""
    bounds, position = shells.bounds[place], shells.positions[place]
    for s in range(bounds[0], bounds[1]):
        work.ends[s - bounds[0] + 1] = work.ends[s - bounds[0]] + shells.ls[s] + 1
    for axis, table in ((1, work.y), (2, work.z)):
        width = table.distances.shape[1]
        n_blocks = (work.high[axis] - work.low[axis] + width - 1) // width
        start = work.low[axis] * grid.spacing[axis] - position[axis]
        _fill_axis(table, n_blocks, (start, grid.spacing[axis]), shells, bounds)
    n_blocks = (work.high[1] - work.low[1] + N_Y - 1) // N_Y
    _fill_rows_y(work, n_blocks, shells.ls[bounds[0] : bounds[1]])
    for i in range(work.low[0], work.high[0]):
        plane = i % grid.sizes[0] if grid.wraps[0] else i
        plane -= grid.first
        if plane < 0 or plane >= len(out):
            continue
        x = i * grid.spacing[0] - position[0]
        seen = bounds[1] - bounds[0]
        while seen > 0 and shells.squares[bounds[0] + seen - 1] <= x * x:
            seen -= 1
        if seen > 0:
            line = _Line(plane, bounds[0], seen, x * x, cutoff * cutoff)
            _fill_coefficients(work, shells, line, x)
            _add_plane(out, grid, shells, work, line)


@compile_loops
def add_shells(out: Vector, grid: Planes, shells: Shells, cutoff: float) -> None:
    """Add shells to some planes of a grid.

    Parameters
    ----------
    out
        Shape ``(n_planes, n_y, n_z)``, e/Å^3, contiguous; changed in place.
    grid
        Which planes.
    shells
        What to add.
    cutoff
        Å: from this distance on nothing of a centre is added; infinity for no cut-off.
    """
    work = _new_work(grid, shells, cutoff)
    for place in range(len(shells.positions)):
        first, last = shells.bounds[place]
        if last > first:
            radius = min(np.sqrt(shells.squares[first]), cutoff)
            if _find_box(work, len(out), grid, shells.positions[place], radius):
                _add_centre(out, grid, shells, work, place, cutoff)
