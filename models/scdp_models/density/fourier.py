"""Densities of crystals in reciprocal space, in closed form, and on grids by Fourier transform.

The transform of c N r^l Y_lm exp(-a r^2) is c N (-i/(2a))^l (pi/a)^(3/2) G^l Y_lm(G) times
exp(-G^2/(4a)). On the grid of one cell the sum over lattice images is then one fast Fourier
transform, for any shape of the cell. A shell whose spectrum ends before that of the grid is exact;
the others are left to a kernel in real space.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.fft import irfftn
from scipy.special import gamma, gammaincc

from scdp_models.basis.shells import radial_norm
from scdp_models.density.screening import shell_amplitudes
from scdp_models.errors import DensityError
from scdp_models.harmonics import solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["aliasing_errors", "fourier_density", "rho_g", "shells_of"]

# Vectors that are looked at at once: elements of the largest array.
_CHUNK = 2**21
# A shell is left out where its spectrum is below exp(-50) of its largest value.
_LOG_NEGLIGIBLE = 50.0


class _Spectrum(NamedTuple):
    """Shells of one centre and degree: G^l Y_lm(G) sum_k weights_km exp(-widths_k G^2)."""

    l: int
    widths: NDArray[np.float64]
    weights: NDArray[np.float64]


def rho_g(density: OrbitalDensity, miller: ArrayLike) -> NDArray[np.complex128]:
    """Return Fourier coefficients of a crystal's density.

    Parameters
    ----------
    density
        Periodic along all three lattice vectors.
    miller
        Shape ``(n, 3)``, whole numbers: G = miller @ reciprocal lattice vectors.

    Returns
    -------
    numpy.ndarray
        Shape ``(n,)``, in electrons: the integral of rho(r) exp(-i G r) over one cell, so that
        rho(r) = sum_G rho_g exp(i G r) / volume and the value at G = 0 is the electron count.

    Raises
    ------
    DensityError
        If the density is not periodic along all vectors.
    """
    cell = _checked_cell(density)
    indices = np.asarray(miller, dtype=np.float64).reshape(-1, 3)
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    fractional = density.positions @ np.linalg.inv(cell)
    spectra = _spectra(density)
    out = np.zeros(len(indices), dtype=np.complex128)
    n_shells = max((sum(len(s.widths) for s in own) for own in spectra.values()), default=1)
    step = max(1, _CHUNK // (n_shells + 50))
    for start in range(0, len(indices), step):
        part = slice(start, start + step)
        vectors = indices[part] @ reciprocal
        squares = (vectors**2).sum(axis=1)
        harmonics = {l: solid_harmonics(vectors, l) for l in np.unique(density.shell_ls).tolist()}
        for centre, own in spectra.items():
            # Powers of -i: even degrees are real, odd ones imaginary, with alternating signs.
            sums = np.zeros((2, len(squares)))
            for s in own:
                sign = -1.0 if s.l % 4 in {1, 2} else 1.0
                sums[s.l % 2] += sign * _radial(s, squares, harmonics[s.l])
            total = sums[0] + 1j * sums[1]
            out[part] += total * np.exp(-2j * np.pi * (indices[part] @ fractional[centre]))
    return out


def _radial(
    spectrum: _Spectrum, squares: NDArray[np.float64], harmonics: NDArray[np.float64]
) -> NDArray[np.float64]:
    seen = squares.min(initial=0.0) * spectrum.widths < _LOG_NEGLIGIBLE
    radial = np.exp(-np.outer(squares, spectrum.widths[seen])) @ spectrum.weights[seen]
    return np.asarray(np.einsum("gm,gm->g", harmonics, radial))


def _spectra(density: OrbitalDensity) -> dict[int, list[_Spectrum]]:
    """Sort the shells by centre and degree; widths in Å^2, weights in e Å^l."""
    a = density.shell_exponents / BOHR_TO_ANGSTROM**2
    ls, offsets = density.shell_ls, density.shell_offsets
    factors = radial_norm(ls, density.shell_exponents) * BOHR_TO_ANGSTROM ** (-3.0 - ls)
    factors = factors * (np.pi / a) ** 1.5 * (2 * a) ** (-ls.astype(float))
    spectra: dict[int, list[_Spectrum]] = {}
    for centre in np.unique(density.shell_centres).tolist():
        own = np.flatnonzero(density.shell_centres == centre)
        for l in np.unique(ls[own]).tolist():
            shells = own[ls[own] == l]
            columns = offsets[shells][:, None] + np.arange(2 * l + 1)
            weights = density.coefficients[columns] * factors[shells, None]
            spectra.setdefault(centre, []).append(_Spectrum(l, 1 / (4 * a[shells]), weights))
    return spectra


def _checked_cell(density: OrbitalDensity) -> NDArray[np.float64]:
    if density.cell is None or not all(density.pbc):
        msg = f"pbc is {density.pbc}: Fourier coefficients need three periodic lattice vectors"
        raise DensityError(msg)
    return density.cell


def aliasing_errors(density: OrbitalDensity, shape: Sequence[int]) -> NDArray[np.float64]:
    """Bound what each shell loses when only the waves of a grid are summed.

    Parameters
    ----------
    density
        A crystal.
    shape
        Points of the grid along each lattice vector.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_shells,)``, e/Å^3: twice the integral of the modulus of the spectrum outside of
        the largest sphere among the waves of the grid.
    """
    cell = _checked_cell(density)
    radius = float((np.pi * (np.asarray(shape) - 1) / np.linalg.norm(cell, axis=1)).min())
    a, ls = density.shell_exponents / BOHR_TO_ANGSTROM**2, density.shell_ls
    height = shell_amplitudes(density) * BOHR_TO_ANGSTROM ** -ls.astype(float)
    height = height * (np.pi / a) ** 1.5 * (2 * a) ** (-ls.astype(float))
    power = 0.5 * (ls + 3)
    tail = 0.5 * (4 * a) ** power * gamma(power) * gammaincc(power, radius**2 / (4 * a))
    return np.asarray(2 * height * 4 * np.pi * tail / (2 * np.pi) ** 3)


def fourier_density(
    density: OrbitalDensity, shape: Sequence[int], origin: ArrayLike = (0.0, 0.0, 0.0)
) -> NDArray[np.float64]:
    """Sum the waves of the grid of one cell.

    Parameters
    ----------
    density
        A crystal, of any cell.
    shape
        Points along each lattice vector.
    origin
        Shape ``(3,)``, Å: position of the grid point (0, 0, 0).

    Returns
    -------
    numpy.ndarray
        Shape `shape`, e/Å^3. Off by no more than the sum of :func:`aliasing_errors`.
    """
    n1, n2, n3 = (int(n) for n in shape)
    axes = [np.fft.fftfreq(n1, 1 / n1), np.fft.fftfreq(n2, 1 / n2), np.arange(n3 // 2 + 1.0)]
    miller = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # The highest wave of an even grid stands for two opposite ones: it is left out.
    kept = (2 * np.abs(miller) < np.array([n1, n2, n3])).all(axis=1)
    values = np.zeros(len(miller), dtype=np.complex128)
    values[kept] = rho_g(density.translated(-np.asarray(origin, float)), miller[kept])
    volume = abs(float(np.linalg.det(_checked_cell(density))))
    waves = values.reshape(n1, n2, n3 // 2 + 1)
    return np.asarray(irfftn(waves, s=(n1, n2, n3), overwrite_x=True)) * (n1 * n2 * n3 / volume)


def shells_of(density: OrbitalDensity, chosen: NDArray[np.bool_]) -> OrbitalDensity:
    """Return the density of some of the shells, shape ``(n_shells,)``."""
    functions = np.repeat(chosen, 2 * density.shell_ls + 1)
    return replace(
        density,
        shell_centres=density.shell_centres[chosen],
        shell_ls=density.shell_ls[chosen],
        shell_exponents=density.shell_exponents[chosen],
        coefficients=density.coefficients[functions],
    )
