"""List the waves of a density in the order of ``pw.x``.

The program takes a density file for a list in its own order and ignores the Miller indices in it,
so that the order must be its own: by length, equal lengths (to 1e-8 in units of (2 pi/alat)^2) in
the order of three nested loops over the indices from negative to positive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["WaveSettings", "coulomb_weights", "places_of", "reciprocal_vectors", "wave_list"]

_SAME_LENGTH = 1e-8


class WaveSettings(Protocol):
    """What settings say of the waves of a density, in every code."""

    @property
    def spin(self) -> str:
        """Whether there are two spin densities: ``"restricted"`` or ``"unrestricted"``."""

    @property
    def n_spins(self) -> int:
        """Spin densities."""

    @property
    def gamma_only(self) -> bool:
        """Whether one of each pair G and -G is listed."""

    @property
    def cutoff_ry(self) -> float:
        """Cut-off of the density, Rydberg."""


def reciprocal_vectors(cell_bohr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the reciprocal vectors as rows, with 2 pi, 1/bohr."""
    return np.asarray(2 * np.pi * np.linalg.inv(cell_bohr).T)


def wave_list(crystal: Crystal, settings: WaveSettings) -> NDArray[np.int64]:
    """Return the Miller indices of a density, shape ``(n_waves, 3)``.

    Parameters
    ----------
    crystal
        Gives the cell.
    settings
        Give the cut-off, and whether one of each pair G and -G is listed.
    """
    cell = crystal.cell_bohr
    unit = np.linalg.norm(cell[0])
    cutoff = settings.cutoff_ry * (unit / (2 * np.pi)) ** 2
    highest = (np.sqrt(cutoff) * np.linalg.norm(cell / unit, axis=1)).astype(int) + 1
    axes = [np.arange(-n, n + 1) for n in highest]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    if settings.gamma_only:
        i, j, k = indices.T
        indices = indices[(i > 0) | ((i == 0) & ((j > 0) | ((j == 0) & (k >= 0))))]
    vectors = np.linalg.inv(cell / unit).T
    # Term by term, as the program adds them: the same rounding decides the same ties.
    sums = indices[:, :1] * vectors[0] + indices[:, 1:2] * vectors[1] + indices[:, 2:] * vectors[2]
    squares = (sums**2).sum(axis=1)
    indices, squares = indices[squares <= cutoff], squares[squares <= cutoff]
    order = np.argsort(squares, kind="stable")
    shells = np.cumsum(np.diff(squares[order], prepend=0.0) >= _SAME_LENGTH)
    return np.asarray(indices[order[np.lexsort((order, shells))]])


def places_of(indices: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where Miller indices stand in a list, -1 for those that do not.

    Parameters
    ----------
    indices
        The list, shape ``(n_waves, 3)``.
    wanted
        Shape ``(n, 3)``.
    """
    largest = int(max(np.abs(indices).max(initial=0), np.abs(wanted).max(initial=0)))
    base = 2 * largest + 1
    strides = np.array([base * base, base, 1])
    keys, sought = (indices + largest) @ strides, (wanted + largest) @ strides
    order = np.argsort(keys)
    found = order[np.minimum(np.searchsorted(keys, sought, sorter=order), len(keys) - 1)]
    return np.asarray(np.where(keys[found] == sought, found, -1))


def coulomb_weights(waves: EspressoWaves) -> NDArray[np.float64]:
    """Return weights with which waves d in e/bohr^3 have the energy (d|d)/2 = sum of w |d|^2.

    w = 2 pi V / G^2, twice where one of each pair G and -G is listed, and none for G = 0.

    Parameters
    ----------
    waves
        Miller indices and reciprocal vectors.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_waves,)``, Hartree bohr^6 per cell.
    """
    squares = ((waves.indices @ waves.reciprocal) ** 2).sum(axis=1)
    volume = (2 * np.pi) ** 3 / abs(np.linalg.det(waves.reciprocal))
    scale = 2 * np.pi * volume * (2 if waves.is_half else 1)
    weights = np.divide(scale, squares, out=np.zeros_like(squares), where=squares > 0)
    return np.asarray(weights, dtype=np.float64)
