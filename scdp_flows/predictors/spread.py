"""The mean of several densities of one structure, and how far they are apart."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import ModelError
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["coulomb_spread", "mean_density"]

# Beyond, models of a valence density hardly differ, and Coulomb's 4 pi / G^2 is small; bohr^-1.
_LONGEST_WAVE = 6.0
_SHELLS = ("positions", "shell_centres", "shell_ls", "shell_exponents")


def mean_density(densities: Sequence[OrbitalDensity]) -> OrbitalDensity:
    """Return the mean of densities of one structure.

    Coefficients are averaged where all have the same functions; others are put side by side.

    Raises
    ------
    ModelError
        If there is none.
    """
    if not densities:
        raise ModelError("there are no densities to take the mean of; give at least one model")
    first = densities[0]
    if _same_functions(densities):
        mean = np.mean([density.coefficients for density in densities], axis=0)
        return replace(first, coefficients=mean)
    share = 1 / len(densities)
    total = first.scaled(share)
    for density in densities[1:]:
        total = total + density.scaled(share)
    return total


def coulomb_spread(densities: Sequence[OrbitalDensity]) -> float | None:
    """Return the mean Coulomb distance of all pairs of densities of one structure.

    Parameters
    ----------
    densities
        Of a molecule, or of a crystal that is periodic along three vectors.

    Returns
    -------
    float or None
        Mean of (d|d)/2 over the pairs' differences d, Ha (per cell for a crystal, from waves up to
        6 bohr^-1). None for fewer than two densities, or periodicity along one or two vectors.
    """
    if len(densities) < 2:
        return None
    periodic = densities[0].pbc
    if all(periodic):
        return _wave_spread(densities)
    if any(periodic):
        return None
    from scdp_models.density.coulomb import coulomb_error, coulomb_matrix

    if not _same_functions(densities):
        pairs = [coulomb_error(a, b) for a, b in combinations(densities, 2)]
        return float(np.mean(pairs))
    coefficients = np.array([density.coefficients for density in densities])
    # The sum of the squared distances of all n (n - 1) / 2 pairs is n times that from the mean.
    deviations = coefficients - coefficients.mean(axis=0)
    squares = np.einsum("ip,pq,iq->", deviations, coulomb_matrix(densities[0]), deviations)
    return float(squares) / (len(densities) - 1)


def _same_functions(densities: Sequence[OrbitalDensity]) -> bool:
    first = densities[0]
    return all(
        np.array_equal(getattr(first, name), getattr(other, name))
        for other in densities[1:]
        for name in _SHELLS
    )


def _wave_spread(densities: Sequence[OrbitalDensity]) -> float:
    """Sum 4 pi |d(G)|^2 / (2 V G^2) over G != 0, Ha."""
    from scdp_models.density.fourier import rho_g

    cell = np.asarray(densities[0].cell) / BOHR_TO_ANGSTROM
    miller = _waves(cell)
    squares = ((2 * np.pi * miller @ np.linalg.inv(cell).T) ** 2).sum(axis=1)
    spectra = np.array([rho_g(density, miller) for density in densities])
    deviations = np.abs(spectra - spectra.mean(axis=0)) ** 2
    volume = abs(float(np.linalg.det(cell)))
    energies = 4 * np.pi / volume * (deviations / squares).sum()
    return float(energies) / (len(densities) - 1)


def _waves(cell: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the Miller indices of all waves but the constant one, shape ``(n, 3)``."""
    largest = np.floor(_LONGEST_WAVE * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    axes = [np.arange(-n, n + 1) for n in largest]
    miller = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(2 * np.pi * miller @ np.linalg.inv(cell).T, axis=1)
    return np.asarray(miller[(lengths > 0) & (lengths <= _LONGEST_WAVE)])
