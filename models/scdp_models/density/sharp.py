"""Shells in the form the compiled separable kernel takes, and its threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.density.cartesian import monomial_coefficients
from scdp_models.density.tiles import Planes, Shells, add_shells
from scdp_models.harmonics import monomial_exponents
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

    Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    Periods = tuple[float | None, float | None, float | None]

__all__ = ["SharpShells", "prepare_shells"]

# Pieces of work per thread: centres lie in the middle of most grids, so that equal numbers of
# planes are not equal work.
_PIECES = 4
# A centre tabulates its functions anew for each piece: thinner ones do not pay.
_FEWEST_PLANES = 8


class SharpShells(NamedTuple):
    """Shells to be evaluated on a right-angled grid.

    Attributes
    ----------
    shells, grid
        What the kernel takes; the grid stands for all planes.
    cutoff
        Å, infinite for none.
    threads
        How many.
    """

    shells: Shells
    grid: Planes
    cutoff: float
    threads: int

    def add_to(self, out: NDArray[np.float64], planes: slice) -> None:
        """Add the shells to some planes, shape ``(n_planes, n_y, n_z)``, in place."""
        n_planes, start = len(out), planes.start or 0
        n_pieces = self.threads * _PIECES if self.threads > 1 else 1
        step = max(_FEWEST_PLANES, -(-n_planes // n_pieces))
        pieces = [slice(low, min(low + step, n_planes)) for low in range(0, n_planes, step)]

        def add(piece: slice) -> None:
            grid = self.grid._replace(first=start + piece.start)
            add_shells(out[piece], grid, self.shells, self.cutoff)

        if self.threads == 1 or len(pieces) == 1:
            for piece in pieces:
                add(piece)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(add, pieces))


def prepare_shells(
    density: OrbitalDensity,
    chosen: NDArray[np.int64],
    radii: NDArray[np.float64],
    *,
    axes: Axes,
    spacing: NDArray[np.float64],
    periods: Periods,
) -> tuple[Shells, Planes]:
    """Sort shells for the kernel.

    Parameters
    ----------
    density
        In the frame of the grid.
    chosen
        Indices of shells.
    radii
        Shape ``(len(chosen),)``, Å: where to stop.
    axes
        Coordinates of the grid points along each axis, Å.
    spacing
        Shape ``(3,)``, Å.
    periods
        Periodicity of the density along each axis, Å; None for none. Where the grid spans one
        period its indices wrap, else images are listed.
    """
    order = np.lexsort((-radii, density.shell_centres[chosen]))
    order = order[radii[order] > 0]
    shells, reach = chosen[order], radii[order]
    sizes = np.array([len(x) for x in axes])
    origin = np.array([x[0] for x in axes])
    wraps = np.array(
        [
            p is not None and abs(n * h - p) < 1e-9
            for p, n, h in zip(periods, sizes, spacing, strict=True)
        ]
    )
    edges = np.searchsorted(density.shell_centres[shells], np.arange(len(density.numbers) + 1))
    images = [None if w else p for w, p in zip(wraps, periods, strict=True)]
    span = (sizes - 1) * spacing
    widest = np.array([reach[a:b].max(initial=0.0) for a, b in pairwise(edges)])
    centres, positions = _images(density.positions - origin, widest, span, images)
    tensors, first = _tensors(density, shells)
    prepared = Shells(
        positions=positions,
        bounds=np.stack([edges[centres], edges[centres + 1]], axis=1),
        ls=density.shell_ls[shells],
        exponents=density.shell_exponents[shells] / BOHR_TO_ANGSTROM**2,
        squares=reach**2,
        tensors=tensors,
        first=first,
    )
    return prepared, Planes(0, sizes, spacing, wraps)


def _images(
    positions: NDArray[np.float64],
    reach: NDArray[np.float64],
    span: NDArray[np.float64],
    periods: list[float | None],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """List the centres, and those of their images that can be seen from a box at the origin."""
    ranges = []
    for axis, period in enumerate(periods):
        if period is None:
            ranges.append(range(1))
            continue
        low = np.ceil((-positions[:, axis] - reach) / period).min(initial=0)
        high = np.floor((span[axis] - positions[:, axis] + reach) / period).max(initial=0)
        ranges.append(range(int(low), int(high) + 1))
    steps = np.array([p or 0.0 for p in periods])
    centres, places = [], []
    for image in product(*ranges):
        moved = positions + np.array(image) * steps
        outside = np.maximum(np.maximum(-moved, moved - span), 0.0)
        outside[:, [p is None for p in periods]] = 0.0
        near = np.flatnonzero((outside <= reach[:, None]).all(axis=1) & (reach > 0))
        centres.append(near)
        places.append(moved[near])
    return np.concatenate(centres), np.concatenate(places)


def _tensors(
    density: OrbitalDensity, shells: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the coefficients of x^(l-j-k) y^j z^k, j outside k, and where each shell begins."""
    ls = density.shell_ls[shells]
    sizes = (ls + 1) * (ls + 2) // 2
    first = np.cumsum(sizes) - sizes
    tensors = np.zeros(int(sizes.sum()))
    for l in np.unique(ls).tolist():
        own = np.flatnonzero(ls == l)
        _, j, k = monomial_exponents(l).T
        # Rows of j hold l + 1, l, ... entries.
        place = j * (l + 1) - j * (j - 1) // 2 + k
        values = monomial_coefficients(density, shells[own], l)
        tensors[first[own][:, None] + place] = values
    return tensors, first
