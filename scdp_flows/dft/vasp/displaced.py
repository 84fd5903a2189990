"""Carry the density of one crystal over to the same crystal, strained and displaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.vasp.atoms import SphericalAtoms
    from scdp_flows.dft.vasp.grid import Shape

__all__ = ["Correspondence", "Crystal", "carry_over", "match", "resample"]


class Crystal(NamedTuple):
    """A periodic structure as arrays."""

    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Positions (n_atoms, 3), Å."""
    cell: NDArray[np.float64]
    """Cell vectors as rows (3, 3), Å."""

    @property
    def fractional(self) -> NDArray[np.float64]:
        """Positions as fractions of the cell (n_atoms, 3)."""
        return np.asarray(np.linalg.solve(self.cell.T, self.positions.T).T)


class Correspondence(NamedTuple):
    """How one crystal lies in another of the same atoms."""

    order: NDArray[np.int64]
    """For each atom of the new crystal its partner in the old one (n_atoms,)."""
    strain: float
    """Largest stretch or shear of the cell."""
    shift_ang: float
    """Largest displacement of an atom beyond the strain, Å."""


def match(old: Crystal, new: Crystal) -> Correspondence | None:
    """Pair the atoms of two crystals; None if they are not of the same atoms.

    Cell vectors are compared as they are, atoms by their distance at equal fractions of the cell.
    """
    if sorted(old.numbers.tolist()) != sorted(new.numbers.tolist()):
        return None
    deformation = np.linalg.solve(old.cell, new.cell)
    strain = float(np.abs(np.linalg.svd(deformation, compute_uv=False) - 1).max())
    rotation = float(np.abs(deformation - np.eye(3)).max())
    difference = new.fractional[:, None] - old.fractional[None]
    difference -= np.rint(difference)
    distances = np.linalg.norm(difference @ new.cell, axis=-1)
    other_element = new.numbers[:, None] != old.numbers[None]
    cost = np.where(other_element, 1e6, distances**2)
    rows, order = linear_sum_assignment(cost)
    return Correspondence(order, max(strain, rotation), float(distances[rows, order].max()))


def resample(values: NDArray[np.floating], shape: Shape) -> NDArray[np.float64]:
    """Interpolate a periodic function onto another grid of the same cell by its Fourier series.

    Parameters
    ----------
    values
        On the old grid (m1, m2, m3).
    shape
        The new grid. Waves that do not fit on both grids, those of half the length included, are
        left out; the mean is kept.
    """
    if values.shape == shape:
        return np.array(values, dtype=np.float64)
    waves = np.fft.fftn(values)
    found = np.zeros(shape, dtype=np.complex128)
    chosen_old, chosen_new = [], []
    for old, new in zip(values.shape, shape, strict=True):
        largest = (min(old, new) - 1) // 2
        kept = np.arange(-largest, largest + 1)
        chosen_old.append(kept % old)
        chosen_new.append(kept % new)
    found[np.ix_(*chosen_new)] = waves[np.ix_(*chosen_old)]
    return np.asarray(np.fft.ifftn(found).real * (np.prod(shape) / values.size))


def carry_over(
    density: ChargeDensity, new: Crystal, shape: Shape, atoms: SphericalAtoms
) -> NDArray[np.float64]:
    """Return the density of a crystal in a new cell, with its atoms at new places.

    The spherical atoms move with the nuclei and keep their shape; what they leave over is
    stretched with the cell and keeps its charge.

    Returns
    -------
    (n1, n2, n3)
        Density, e/Å^3.
    """
    old = (density.numbers, density.positions - density.origin, density.cell)
    rest = density.values - atoms.superposition(old, density.shape)
    volume = abs(float(np.linalg.det(new.cell)))
    stretched = resample(rest, shape) * (density.volume / volume)
    moved = atoms.superposition((new.numbers, new.positions, new.cell), shape)
    return np.asarray(stretched + moved, dtype=np.float64)
