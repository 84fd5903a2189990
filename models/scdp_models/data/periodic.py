"""Coulomb metric and projections of crystals, as sums over reciprocal lattice vectors.

With chi(G) the integral of a function times exp(-i G r) over all space, the electrostatic energy of
two functions that are repeated in every cell is (1/V) sum over G != 0 of 4 pi / G^2
conj(chi_m(G)) chi_n(G) per cell of volume V. No lattice sum and no grid in real space is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.density.fourier import rho_g
from scdp_models.errors import DensityError
from scdp_models.harmonics import solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["HalfSphere", "crystal_projection", "function_waves", "half_sphere", "wave_projection"]

# Share to which the spectrum of the tightest function falls; 2e-4 of its energy is beyond.
_SMALLEST = 0.03
_CHUNK_ELEMENTS = 2**22


class HalfSphere(NamedTuple):
    """One wave vector of each pair G, -G of one cell, without G = 0.

    Attributes
    ----------
    miller
        Shape ``(n_waves, 3)``: whole multiples of the reciprocal lattice vectors.
    vectors
        Shape ``(n_waves, 3)``, bohr^-1.
    weights
        Shape ``(n_waves,)``, Ha per squared electron: 2 * 4 pi / (V G^2), both halves included.
    """

    miller: NDArray[np.int64]
    vectors: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, miller: NDArray[np.int64], cell: NDArray[np.float64]) -> HalfSphere:
        """Return vectors and weights of given Miller indices; `cell` in Å, rows."""
        lattice = np.asarray(cell, dtype=float) / BOHR_TO_ANGSTROM
        vectors = miller @ (2 * np.pi * np.linalg.inv(lattice).T)
        weights = 8 * np.pi / abs(np.linalg.det(lattice)) / (vectors**2).sum(1)
        return cls(miller, vectors, weights)


def half_sphere(cell: NDArray[np.float64], longest: float) -> HalfSphere:
    """List the wave vectors of a cell up to a length.

    Parameters
    ----------
    cell
        Shape ``(3, 3)``, rows in Å.
    longest
        Largest length, bohr^-1.
    """
    lattice = np.asarray(cell, dtype=float) / BOHR_TO_ANGSTROM
    highest = (longest * np.linalg.norm(lattice, axis=1) / (2 * np.pi)).astype(int)
    axes = [np.arange(-n, n + 1) for n in highest[:2]] + [np.arange(highest[2] + 1)]
    miller = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = miller.T
    miller = miller[(k > 0) | ((k == 0) & ((j > 0) | ((j == 0) & (i > 0))))]
    squares = ((miller @ (2 * np.pi * np.linalg.inv(lattice).T)) ** 2).sum(1)
    return HalfSphere.of(miller[squares <= longest**2], cell)


def function_waves(shells: OrbitalDensity, vectors: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return the transform of every function, for a coefficient of one.

    Parameters
    ----------
    shells
        Coefficients are ignored.
    vectors
        Shape ``(n_waves, 3)``, bohr^-1.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_waves, n_functions)``, electrons: see :mod:`scdp_models.density.fourier`.
    """
    out = np.empty((len(vectors), shells.n_functions), dtype=np.complex128)
    squares = (vectors**2).sum(1)
    positions = shells.positions / BOHR_TO_ANGSTROM
    phases = np.exp(-1j * vectors @ positions.T)
    for l in np.unique(shells.shell_ls).tolist():
        angular = (-1j) ** l * solid_harmonics(vectors, l)
        own = np.flatnonzero(shells.shell_ls == l)
        exponents, radials = np.unique(shells.shell_exponents[own], return_inverse=True)
        norms = radial_norm(l, exponents) * (np.pi / exponents) ** 1.5 / (2 * exponents) ** l
        radial = norms * np.exp(-squares[:, None] / (4 * exponents))
        for shell, which in zip(own.tolist(), radials.tolist(), strict=True):
            start = shells.shell_offsets[shell]
            factor = radial[:, which] * phases[:, shells.shell_centres[shell]]
            out[:, start : start + 2 * l + 1] = angular * factor[:, None]
    return out


def wave_projection(
    shells: OrbitalDensity, sphere: HalfSphere, target: NDArray[np.complex128]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return metric and right-hand side of a fit to Fourier coefficients.

    Charges do not show in the sum, so that the metric holds them by the energy of half the smallest
    wave vector: (4 pi / V) / (G_min / 2)^2 times the product of the charges.

    Parameters
    ----------
    shells
        Functions to fit with.
    sphere
        Wave vectors.
    target
        Shape ``(n_waves,)``, electrons: what is fitted. It should hold no charge.

    Returns
    -------
    metric, right_hand_side : numpy.ndarray
        V_mn, ``(n_functions, n_functions)``, and b_m = (m|target), ``(n_functions,)``; both Ha.
    """
    n = shells.n_functions
    metric, right = np.zeros((n, n)), np.zeros(n)
    roots = np.sqrt(sphere.weights)
    step = max(1, _CHUNK_ELEMENTS // max(1, n))
    for start in range(0, len(roots), step):
        part = slice(start, start + step)
        waves = function_waves(shells, sphere.vectors[part]) * roots[part, None]
        weighted = target[part] * roots[part]
        # Real and imaginary parts below each other: a real product is twice as quick.
        rows = np.concatenate([waves.real, waves.imag])
        metric += rows.T @ rows
        right += rows.T @ np.concatenate([weighted.real, weighted.imag])
    smallest = sphere.weights.max() if len(roots) else 0.0
    metric += 2 * smallest * np.outer(shells.charges, shells.charges)
    return metric, right


def crystal_projection(
    shells: OrbitalDensity, density: OrbitalDensity
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return metric and right-hand side of a fit to another Gaussian density of the same cell.

    Parameters
    ----------
    shells
        Functions to fit with.
    density
        What is fitted.

    Returns
    -------
    metric, right_hand_side : numpy.ndarray
        As in :func:`wave_projection`; the sums end where the tightest of `shells` ends.

    Raises
    ------
    DensityError
        If one of them is not periodic in all directions.
    """
    if shells.cell is None or not (all(shells.pbc) and all(density.pbc)):
        msg = f"pbc is {shells.pbc}: the metric of a crystal needs three periodic lattice vectors"
        raise DensityError(msg)
    tightest = float(shells.shell_exponents.max())
    sphere = half_sphere(shells.cell, 2 * np.sqrt(-tightest * np.log(_SMALLEST)))
    return wave_projection(shells, sphere, rho_g(density, sphere.miller))
