"""Fit the waves of a density by Gaussian shells in the Coulomb metric of the crystal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.base import Fit, FitInfo
from scdp_flows.io.espresso_waves import waves_on_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["fit_shells", "fit_waves"]

_RIDGE = 1e-6
_PERIODIC = (True, True, True)


def fit_shells(crystal: Crystal, basis: BasisSet) -> OrbitalDensity:
    """Place a basis on the atoms and, if it has a set for them, on the bond midpoints.

    Raises
    ------
    BasisError
        If an element is not in the basis.
    """
    from scdp_models.basis.shells import MIDPOINT
    from scdp_models.density.orbital import OrbitalDensity
    from scdp_models.virtual_nodes import bond_midpoints

    numbers, positions, cell = crystal.numbers, crystal.positions, crystal.cell
    if basis.has_midpoints:
        middles = bond_midpoints(numbers, positions, cell=cell, pbc=_PERIODIC).positions
        numbers = np.concatenate([numbers, np.full(len(middles), MIDPOINT)])
        positions = np.concatenate([positions, middles])
    return OrbitalDensity.from_basis(basis, numbers, positions, cell=cell, pbc=_PERIODIC)


def fit_waves(
    crystal: Crystal,
    waves: EspressoWaves,
    reference: AtomicReference,
    basis: BasisSet,
    shape: tuple[int, int, int],
) -> Fit:
    """Fit a density less its superposed atoms, the charge held exactly.

    Minimises the Coulomb energy of the difference, a sum over one wave of each pair G, -G.

    Parameters
    ----------
    crystal
        The atoms.
    waves
        The density.
    reference
        Spherical atoms.
    basis
        What to fit with.
    shape
        Grid on which the error is measured.
    """
    from scdp_models.data.periodic import HalfSphere, wave_projection
    from scdp_models.density.coulomb import charge_constrained_fit
    from scdp_models.density.fourier import rho_g

    shells = fit_shells(crystal, basis)
    numbers, positions = crystal.numbers, crystal.positions
    atoms = reference.superposition(numbers, positions, crystal.cell, _PERIODIC)
    # The atoms' shells keep the centres of the fit, so that the sum has each centre once.
    atoms = replace(atoms, numbers=shells.numbers, positions=shells.positions)
    i, j, k = waves.indices.T
    half = (i > 0) | ((i == 0) & ((j > 0) | ((j == 0) & (k > 0))))
    sphere = HalfSphere.of(waves.indices[half], crystal.cell)
    target = waves.components[0][half] * crystal.volume_bohr - rho_g(atoms, sphere.miller)
    metric, right = wave_projection(shells, sphere, target)
    coefficients = charge_constrained_fit(
        metric,
        right,
        shells.charges,
        charge=crystal.n_electrons - atoms.n_electrons(),
        ridge=_RIDGE,
    )
    difference = replace(shells, coefficients=coefficients)
    missed = target - rho_g(difference, sphere.miller)
    info = FitInfo(
        basis=basis.name,
        n_functions=shells.n_functions,
        coulomb_error_ha=0.5 * float(sphere.weights @ np.abs(missed) ** 2),
        n_electrons=(atoms + difference).n_electrons(),
        nmae_percent=_nmae_percent(waves, half, missed / crystal.volume_bohr, shape),
    )
    return Fit(atoms, difference, info)


def _nmae_percent(
    waves: EspressoWaves,
    half: NDArray[np.bool_],
    missed: NDArray[np.complex128],
    shape: tuple[int, int, int],
) -> float:
    """Return 100 sum|missed| / sum|density| on a grid; `missed` in e/bohr^3, one half."""
    of_half = waves._replace(is_half=True, indices=waves.indices[half])
    density = waves_on_grid(waves, waves.components[0], shape)
    return float(100 * np.abs(waves_on_grid(of_half, missed, shape)).sum() / np.abs(density).sum())
