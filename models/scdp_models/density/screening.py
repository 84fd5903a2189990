"""How far from its centre a shell can still be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["shell_amplitudes", "tail_radii"]

# Each step of the fixed point shrinks an upper bound, so that stopping early is safe.
_N_STEPS = 15


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
