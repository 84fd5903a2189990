"""Take the Fourier coefficients of a density out of its grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Composition

from scdp_flows.dft.plane_waves.structure import Crystal
from scdp_flows.errors import DensityError
from scdp_flows.io.espresso_waves import EspressoWaves
from scdp_flows.schemas.identity import symbols
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity

__all__ = ["as_box", "grid_waves"]

# bohr^-1. Shorter waves weigh little in the Coulomb metric, and no shell in use is as narrow.
_LARGEST_WAVE = 12.0


def as_box(density: ChargeDensity, n_electrons: float) -> Crystal:
    """Return the atoms of a density as a crystal whose cell is the grid, the grid's corner at zero.

    Parameters
    ----------
    density
        Of a crystal, or of a molecule, which is repeated with its box then.
    n_electrons
        Valence electrons.

    Raises
    ------
    DensityError
        If it is periodic in some directions and not in others.
    """
    formula = Composition("".join(symbols(density.numbers))).hill_formula.replace(" ", "")
    if any(density.pbc) and not all(density.pbc):
        raise DensityError(
            f"{formula}: periodic in the directions {density.pbc}; densities of crystals and of "
            "molecules are fitted, no slabs in a box that ends: give it as periodic"
        )
    positions = density.positions - density.origin
    return Crystal(formula, density.numbers, positions, density.cell, 0, n_electrons)


def grid_waves(density: ChargeDensity) -> EspressoWaves:
    """Return the waves that a grid holds in all directions alike, up to 12 bohr^-1.

    Parameters
    ----------
    density
        On any grid; its corner is taken for the origin.

    Raises
    ------
    DensityError
        If the grid is too coarse to hold a wave along each direction.
    """
    lattice = density.cell / BOHR_TO_ANGSTROM
    reciprocal = np.asarray(2 * np.pi * np.linalg.inv(lattice).T, dtype=np.float64)
    lengths = np.linalg.norm(lattice, axis=1)
    most = (np.array(density.shape) - 1) // 2
    if not most.all():
        raise DensityError(f"a grid of {density.shape} points holds no waves; give a finer one")
    # A wave of length |G| has at most |G| |a| / 2 pi nodes along the edge a.
    longest = min(_LARGEST_WAVE, float((2 * np.pi * most / lengths).min()))
    counts = np.minimum(most, (longest * lengths / (2 * np.pi)).astype(int))
    axes = [np.arange(-count, count + 1) for count in counts]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    indices = indices[((indices @ reciprocal) ** 2).sum(axis=1) <= longest**2]
    spectrum = np.fft.fftn(np.asarray(density.values, dtype=np.float64)) / density.values.size
    found = spectrum[tuple(indices.T)] * BOHR_TO_ANGSTROM**3
    return EspressoWaves(is_half=False, reciprocal=reciprocal, indices=indices, components=[found])
