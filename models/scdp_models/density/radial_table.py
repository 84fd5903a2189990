"""Densities at any points through one table per centre, whatever the number of its shells.

Around a centre rho(d) = sum_lm r^l Y_lm(d) g_lm(d^2) with g_lm(s) = sum_k c_km N_k exp(-a_k s). The
g are tabulated as polynomials of degree 5 over pieces of s, so that a pair of a point and a centre
costs (lmax + 1)^2 interpolations and no exponential. Pieces are graded: octaves of q = 1 + s/s0,
with s0 the extent of the sharpest shell, each cut into as many pieces as the tolerance asks for.
Interpolation at the Chebyshev points of a piece of width h errs by at most
(h/2)^6 / (6! 2^5) times the largest sixth derivative.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.density.compiled import is_compiled
from scdp_models.density.grids import check_grid, checked_points, grid_points
from scdp_models.density.images import first_image, image_shifts, periodic_vectors
from scdp_models.density.options import Accuracy
from scdp_models.density.screening import largest_local_sum, shared_radii, shell_amplitudes
from scdp_models.density.table_types import COLUMNS, HIGHEST_DEGREE, Bins, RadialTable, Rows
from scdp_models.errors import DensityError
from scdp_models.harmonics import real_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Unpack

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.options import Options
    from scdp_models.density.orbital import OrbitalDensity

    # Position and radius of a centre → positions of those of its images that can be seen.
    _Images = Callable[[NDArray[np.float64], float], NDArray[np.float64]]

__all__ = [
    "TO_TERMS",
    "TableGrid",
    "build_table",
    "images_near",
    "nodes_of_octave",
    "sort_points",
    "table_density",
]

_N_TERMS = 6
_NODES = np.cos(np.pi * (np.arange(_N_TERMS) + 0.5) / _N_TERMS)
TO_TERMS = np.linalg.inv(np.vander(_NODES, increasing=True))
"""Values at the Chebyshev points of a piece → coefficients of 1, t, t^2, ... on it."""
# An octave has at most so many pieces.
_MOST = 2**12
# A shell is left out of octaves on which its exponential is below exp(-50) = 2e-22.
_LOG_NEGLIGIBLE = 50.0
# The bound of an octave is the largest of those of so many parts.
_PARTS = 4
# Widest a bin of points may be, Å, and how many bins there may be along an axis.
_BIN, _N_BINS = 1.5, 100
# Pairs that the numpy version looks at at once.
_PAIRS = 2**15


class _Centre(NamedTuple):
    """One centre with its table, images (n, 3) in Å and radius in Å."""

    table: RadialTable
    images: NDArray[np.float64]
    radius: float


def build_table(
    density: OrbitalDensity, shells: NDArray[np.int64], radius: float, budget: float
) -> RadialTable:
    """Tabulate the radial functions of one centre.

    Parameters
    ----------
    density
        Where the shells come from.
    shells
        Indices of shells of one centre.
    radius
        Å: where the table ends.
    budget
        Largest error of the sum at any point, e/Å^3.
    """
    a = density.shell_exponents[shells] / BOHR_TO_ANGSTROM**2
    ls, s0 = density.shell_ls[shells], float(1 / a.max())
    lmax = int(ls.max())
    if lmax > HIGHEST_DEGREE:
        msg = f"a shell has degree {lmax}; the table kernel knows up to {HIGHEST_DEGREE}"
        raise DensityError(msg)
    pieces = _pieces(density, shells, radius**2, budget)
    weights = _weights(density, shells, lmax)
    blocks = []
    for octave, count in enumerate(pieces.tolist()):
        seen = np.flatnonzero(a * s0 * (2.0**octave - 1) < _LOG_NEGLIGIBLE)
        nodes = nodes_of_octave(s0, octave, count)
        values = np.exp(-np.outer(nodes, a[seen])) @ weights[seen]
        blocks.append(TO_TERMS @ values.reshape(count, _N_TERMS, -1))
    return RadialTable(
        lmax=lmax,
        scale=1 / s0,
        first=(np.cumsum(pieces) - pieces).astype(np.int64),
        pieces=pieces.astype(np.float64),
        terms=np.concatenate(blocks),
    )


def _weights(density: OrbitalDensity, shells: NDArray[np.int64], lmax: int) -> NDArray[np.float64]:
    """Return c N in e/Å^(3 + l), shape ``(n_shells, width)``."""
    ls = density.shell_ls[shells]
    norms = radial_norm(ls, density.shell_exponents[shells]) * BOHR_TO_ANGSTROM ** (-3.0 - ls)
    weights = np.zeros((len(shells), -(-((lmax + 1) ** 2) // COLUMNS) * COLUMNS))
    for l in np.unique(ls).tolist():
        own = np.flatnonzero(ls == l)
        columns = density.shell_offsets[shells[own]][:, None] + np.arange(2 * l + 1)
        block = np.arange(l * l, (l + 1) ** 2)
        weights[own[:, None], block] = norms[own, None] * density.coefficients[columns]
    return weights


def nodes_of_octave(s0: float, octave: int, count: int) -> NDArray[np.float64]:
    """Return the squared distances at which an octave of `count` pieces is tabulated."""
    places = 1 + (np.arange(count)[:, None] + 0.5 * (1 + _NODES)) / count
    return np.asarray(s0 * (2.0**octave * places.ravel() - 1))


def _pieces(
    density: OrbitalDensity, shells: NDArray[np.int64], end: float, budget: float
) -> NDArray[np.int64]:
    """Return into how many pieces each octave is cut."""
    a = density.shell_exponents[shells] / BOHR_TO_ANGSTROM**2
    ls, s0 = density.shell_ls[shells], 1 / a.max()
    amplitudes = shell_amplitudes(density)[shells] * BOHR_TO_ANGSTROM ** -ls.astype(float)
    n_octaves = int(np.ceil(np.log2(1 + end / s0) + 1e-9)) or 1
    part = 1 + np.arange(_PARTS + 1) / _PARTS
    q = 2.0 ** np.arange(n_octaves)[:, None] * part
    s = s0 * (q - 1)
    # With one piece per octave; the largest value of each factor on each part.
    decay = np.exp(-a * s[:, :-1, None]) * s[:, 1:, None] ** (0.5 * ls)
    step = (0.5 * a * s0 * 2.0 ** np.arange(n_octaves)[:, None])[:, None, :] ** 6 / 23040
    errors = (amplitudes * decay * step).sum(axis=2).max(axis=1)
    needed = np.ceil((errors / budget) ** (1 / 6))
    return np.asarray(np.clip(needed, 1, _MOST).astype(np.int64))


def _centres(
    density: OrbitalDensity,
    accuracy: Accuracy,
    images: Callable[[NDArray[np.float64], float], NDArray[np.float64]],
) -> Iterator[_Centre]:
    """Build the tables one after the other; half of the error for them, half for tails."""
    every = np.flatnonzero(shell_amplitudes(density) > 0)
    radii = shared_radii(density, every, accuracy.tolerance / 2)
    every, radii = every[radii > 0], radii[radii > 0]
    if not len(every):
        return
    limit = np.inf if accuracy.cutoff is None else accuracy.cutoff
    order = np.argsort(density.shell_centres[every], kind="stable")
    starts = np.flatnonzero(np.diff(density.shell_centres[every[order]], prepend=-1))
    counted = np.zeros(len(density.shell_ls))
    counted[every[order[starts]]] = 1.0
    overlap = largest_local_sum(density, counted, min(float(radii.max()), limit))
    for own in np.split(order, starts[1:]):
        radius = min(float(radii[own].max()), limit)
        places = images(density.positions[density.shell_centres[every[own[0]]]], radius)
        if len(places):
            table = build_table(density, every[own], radius, accuracy.tolerance / 2 / overlap)
            yield _Centre(table, places, radius)


def table_density(
    density: OrbitalDensity, points: ArrayLike, **options: Unpack[Options]
) -> NDArray[np.float64]:
    """Evaluate a density at points.

    Parameters
    ----------
    density
        Molecular or periodic in any cell.
    points
        Shape ``(n_points, 3)``, Å.
    **options
        Tolerance, cut-off and threads; see :class:`scdp_models.density.options.Options`.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_points,)``, e/Å^3.
    """
    accuracy = Accuracy.of(options)
    lattice = periodic_vectors(density)
    places = first_image(checked_points(points), lattice)
    if not len(places):
        return np.zeros(0)
    bounds = places.min(axis=0), places.max(axis=0)
    centres = _centres(density, accuracy, partial(images_near, bounds, lattice))
    if not is_compiled():
        return _numpy_density(places, centres)
    from scdp_models.density.table_loops import add_points

    bins, order = sort_points(places)
    total = np.zeros(len(places))
    for centre in centres:
        add_points(total, bins, centre.table, centre.images, centre.radius, pull=False)
    out = np.empty(len(places))
    out[order] = total
    return out


def images_near(
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    lattice: NDArray[np.float64],
    centre: NDArray[np.float64],
    radius: float,
) -> NDArray[np.float64]:
    """List the images of a centre within a radius of a box: of its corners low and high.

    The box is that around points of the home cell; returns shape ``(n_images, 3)``, Å.
    """
    low, high = bounds
    moved = centre[None]
    if len(lattice):
        diameter = float(np.linalg.norm(lattice, axis=1).sum())
        moved = first_image(centre, lattice) + image_shifts(lattice, radius + diameter)
    outside = np.maximum(np.maximum(low - moved, moved - high), 0.0)
    return np.asarray(moved[(outside**2).sum(axis=1) < radius**2])


def sort_points(points: NDArray[np.float64]) -> tuple[Bins, NDArray[np.int64]]:
    """Sort points (Å) into boxes; returns the boxes and the order of the points in them."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = np.maximum(_BIN, (high - low) / _N_BINS)
    counts = np.floor((high - low) / width).astype(np.int64) + 1
    cells = np.floor((points - low) / width).astype(np.int64)
    flat = (cells[:, 0] * counts[1] + cells[:, 1]) * counts[2] + cells[:, 2]
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(counts.prod() + 1))
    return Bins(np.ascontiguousarray(points[order]), starts, low, width, counts), order


def _numpy_density(points: NDArray[np.float64], centres: Iterator[_Centre]) -> NDArray[np.float64]:
    total = np.zeros(len(points))
    for table, images, radius in centres:
        for image in images:
            near = np.flatnonzero(((points - image) ** 2).sum(axis=1) < radius**2)
            for start in range(0, len(near), _PAIRS):
                chosen = near[start : start + _PAIRS]
                total[chosen] += _pair_density(points[chosen] - image, table)
    return total


def _pair_density(vectors: NDArray[np.float64], table: RadialTable) -> NDArray[np.float64]:
    """Look vectors (Å) up in the table of their centre."""
    squares = (vectors**2).sum(axis=1)
    mantissa, octave = np.frexp(1 + squares * table.scale)
    octave = np.minimum(octave - 1, len(table.first) - 1)
    place = (2 * mantissa - 1) * table.pieces[octave]
    piece = np.minimum(place, table.pieces[octave] - 1).astype(np.int64)
    t = (2 * (place - piece) - 1)[:, None]
    terms = table.terms[table.first[octave] + piece]
    radial = terms[:, -1]
    for n in range(_N_TERMS - 2, -1, -1):
        radial = radial * t + terms[:, n]
    harmonics = real_harmonics(vectors, table.lmax)
    return np.asarray((radial[:, : harmonics.shape[1]] * harmonics).sum(axis=1))


class TableGrid:
    """Evaluates a density on planes of a grid of any shape, with the table kernel.

    Parameters
    ----------
    density
        Molecular or periodic in any cell.
    origin, cell, shape
        The grid, as in :func:`scdp_models.density.evaluate.evaluate_on_grid`.
    **options
        Tolerance, cut-off and threads; see :class:`scdp_models.density.options.Options`.
    """

    def __init__(
        self,
        density: OrbitalDensity,
        origin: ArrayLike,
        cell: ArrayLike,
        shape: Sequence[int],
        **options: Unpack[Options],
    ) -> None:
        self._origin, self._cell, self._shape = check_grid(origin, cell, shape)
        self._accuracy, self._density, self._options = Accuracy.of(options), density, options
        self._steps = self._cell / np.array(self._shape)[:, None]
        self._wraps = np.zeros(3, dtype=bool)
        if density.cell is not None and np.allclose(density.cell, self._cell, rtol=0, atol=1e-9):
            self._wraps = np.array(density.pbc)
        self._centres: list[_Centre] | None = None

    def fill(self, planes: slice) -> NDArray[np.float64]:
        """Return some planes, shape ``(n_planes, n2, n3)``, e/Å^3."""
        start, stop, _ = planes.indices(self._shape[0])
        if not is_compiled():
            points = grid_points(self._origin, self._cell, self._shape, planes=slice(start, stop))
            values = table_density(self._density, points, **self._options)
            return values.reshape(-1, *self._shape[1:])
        from scdp_models.density.table_loops import add_rows

        if self._centres is None:
            self._centres = list(_centres(self._density, self._accuracy, self._images))
        out = np.zeros((stop - start, *self._shape[1:]))
        rows = Rows(
            start, np.array(self._shape), self._steps, np.linalg.inv(self._steps), self._wraps
        )
        for centre in self._centres:
            add_rows(out, rows, centre.table, centre.images, centre.radius)
        return out

    def _images(self, centre: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
        """List the images that meet the grid, from its origin; one where its indices wrap."""
        density, lattice = self._density, periodic_vectors(self._density)
        loose = lattice[~self._wraps[list(density.pbc)]] if len(lattice) else lattice
        centre = centre - self._origin
        if not len(loose):
            return centre[None]
        corners = np.array(list(product((0.0, 1.0), repeat=3))) @ self._cell
        dual = np.linalg.pinv(lattice)[:, ~self._wraps[list(density.pbc)]]
        reach = radius * np.linalg.norm(dual, axis=0)
        low = (corners @ dual).min(axis=0) - centre @ dual - reach
        high = (corners @ dual).max(axis=0) - centre @ dual + reach
        ranges = (
            range(int(np.ceil(a)), int(np.floor(b)) + 1) for a, b in zip(low, high, strict=True)
        )
        return np.asarray(
            centre + np.array(list(product(*ranges)), dtype=float).reshape(-1, len(loose)) @ loose
        )
