"""How far from its centre a shell can still be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter1d

from scdp_models.basis.shells import radial_norm
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "images_met",
    "largest_local_sum",
    "shared_radii",
    "shell_amplitudes",
    "tail_radii",
]

# Each step of the fixed point shrinks an upper bound, so that stopping early is safe.
_N_STEPS = 15
# Å beyond the largest radius: there, tails have fallen by three orders of magnitude below their
# thresholds, and need not be counted any more.
_MARGIN = 2.0


def shell_amplitudes(density: OrbitalDensity) -> NDArray[np.float64]:
    """Bound the shells of a density by A d^l exp(-a d^2).

    By Unsöld's theorem the squared harmonics of one degree sum to (2l + 1)/(4 pi) everywhere, so
    that |sum_m c_m Y_lm| <= |c| sqrt((2l + 1)/(4 pi)).

    Returns
    -------
    numpy.ndarray
        A of each shell, shape ``(n_shells,)``, in e/Å^3 for d in bohr and a in bohr^-2.
    """
    if not len(density.shell_ls):
        return np.zeros(0)
    squares = np.add.reduceat(density.coefficients**2, density.shell_offsets)
    angular = np.sqrt(squares * (2 * density.shell_ls + 1) / (4 * np.pi))
    norms = radial_norm(density.shell_ls, density.shell_exponents)
    return np.asarray(angular * norms / BOHR_TO_ANGSTROM**3)


def tail_radii(density: OrbitalDensity, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the distances from which on each shell stays below a threshold.

    Parameters
    ----------
    density
        Its coefficients count: a shell with small ones ends early.
    thresholds
        Positive, e/Å^3; one value or one per shell.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_shells,)``, Å; 0 for a shell that is below its threshold everywhere.

    Notes
    -----
    d^2 = (ln(A/threshold) + l ln d)/a is iterated from above. The start bounds ln d^2 by its
    tangent, ln u <= s u - 1 - ln s with s = a/l; the iteration then falls monotonically.
    """
    ls, a = density.shell_ls, density.shell_exponents
    with np.errstate(divide="ignore"):
        level = np.log(shell_amplitudes(density) / np.asarray(thresholds, dtype=float))
    safe = np.maximum(ls, 1)
    highest = np.where(ls > 0, 0.5 * ls * (np.log(safe / (2 * a)) - 1), 0.0)
    seen = level + highest > 0
    bound = np.where(ls > 0, 2 * level - ls * (1 + np.log(a / safe)), level) / a
    squares = np.where(seen, bound, 1.0)
    for _ in range(_N_STEPS):
        squares = np.where(seen, (level + 0.5 * ls * np.log(squares)) / a, 1.0)
    return np.where(seen, np.sqrt(squares) * BOHR_TO_ANGSTROM, 0.0)


def shared_radii(
    density: OrbitalDensity, shells: NDArray[np.int64], budget: float
) -> NDArray[np.float64]:
    """Return the distances beyond which shells can be left out, together, at the price of a budget.

    Parameters
    ----------
    density
        Periodic images count.
    shells
        Indices of the shells that may be left out.
    budget
        e/Å^3: what all tails together may add up to at any point. The shells with the largest
        boxes get most of it. Tails add up locally, so that radii do not grow with the system.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(shells),)``, Å; 0 for a shell that need not be looked at.
    """
    if not len(shells):
        return np.zeros(0)
    weights = np.zeros(len(density.shell_ls))
    weights[shells] = density.shell_exponents[shells] ** -1.5
    thresholds = np.ones(len(weights))
    total = float(weights.sum())
    # The first round finds how far one has to look, the second how much meets there.
    for _ in range(2):
        thresholds[shells] = budget * weights[shells] / total
        radii = tail_radii(density, thresholds)[shells]
        total = largest_local_sum(density, weights, float(radii.max()) + _MARGIN)
    return np.asarray(radii)


def largest_local_sum(density: OrbitalDensity, weights: NDArray[np.float64], reach: float) -> float:
    """Bound the sum of the weights of all shells, images too, within reach of any point.

    Parameters
    ----------
    density
        Its positions and lattice.
    weights
        Shape ``(n_shells,)``, positive.
    reach
        Å. Space is cut into bins at least this wide; the fullest block of 3 x 3 x 3 is the bound.
    """
    lattice, periodic = _complete_lattice(density)
    heights = 1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    centres = np.bincount(density.shell_centres, weights, minlength=len(density.numbers))
    places = density.positions @ np.linalg.inv(lattice)
    places = np.where(periodic, places % 1.0, places - places.min(axis=0, initial=0.0))
    counts = np.maximum(np.floor(heights / reach), 1).astype(int)
    width = np.where(periodic, 1.0 / counts, reach / heights)
    bins = np.floor(places / width).astype(int)
    sizes = np.where(periodic, counts, bins.max(axis=0, initial=0) + 1)
    bins = np.minimum(bins, sizes - 1)
    filled = np.zeros(sizes)
    np.add.at(filled, tuple(bins.T), centres)
    for axis in range(3):
        if periodic[axis] and sizes[axis] < 3:
            # Fewer bins than that: every image within three widths is there.
            images = np.ceil(3 * reach / heights[axis]) + 1
            filled = images * filled.sum(axis=axis, keepdims=True)
        else:
            mode = "wrap" if periodic[axis] else "constant"
            filled = 3 * uniform_filter1d(filled, 3, axis=axis, mode=mode)
    return float(filled.max())


def _complete_lattice(
    density: OrbitalDensity,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return three vectors: the periodic ones, and unit vectors orthogonal to them."""
    periodic = np.array(density.pbc)
    lattice = np.eye(3)
    if density.cell is not None and periodic.any():
        rows = density.cell[periodic]
        lattice[periodic] = rows
        lattice[~periodic] = np.linalg.svd(rows)[2][len(rows) :]
    return lattice, periodic


def images_met(radii: NDArray[np.float64], volume: float, n_periodic: int) -> NDArray[np.float64]:
    """Return of how many periodic images a point is nearer than a radius, on average.

    Parameters
    ----------
    radii
        Å.
    volume
        Of the cell in the periodic directions: Å, Å^2 or Å^3.
    n_periodic
        How many those are.
    """
    unit = {0: 0.0, 1: 2.0, 2: np.pi, 3: 4 * np.pi / 3}[n_periodic]
    return np.asarray(unit * radii**n_periodic / volume)
