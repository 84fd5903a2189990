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
    from scdp_models.data.periodic import HalfSphere
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

    Minimises the Coulomb energy of the difference, a sum over one wave of each pair G, -G. Where
    there is a magnetisation, it is fitted in the same shells, the moment of the cell held exactly.

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
    from scdp_models.data.periodic import HalfSphere
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
    charge = crystal.n_electrons - atoms.n_electrons()
    difference, missed = _fitted(shells, sphere, target, charge)
    info = FitInfo(
        basis=basis.name,
        n_functions=shells.n_functions,
        coulomb_error_ha=_energy_ha(sphere, missed),
        n_electrons=(atoms + difference).n_electrons(),
        nmae_percent=_nmae_percent(waves, half, missed / crystal.volume_bohr, shape),
    )
    fit = Fit(atoms, difference, info)
    if len(waves.components) == 1:
        return fit
    magnetisation = waves.components[1] * crystal.volume_bohr
    moment = float(magnetisation[(waves.indices == 0).all(axis=1)].real.sum())
    spin, missed = _fitted(shells, sphere, magnetisation[half], moment)
    info = replace(info, spin_coulomb_error_ha=_energy_ha(sphere, missed))
    return replace(fit, spin=spin, info=info)


def _fitted(
    shells: OrbitalDensity, sphere: HalfSphere, target: NDArray[np.complex128], charge: float
) -> tuple[OrbitalDensity, NDArray[np.complex128]]:
    """Return shells fitted to waves in electrons, with a given charge, and what they miss."""
    from scdp_models.data.periodic import wave_projection
    from scdp_models.density.coulomb import charge_constrained_fit
    from scdp_models.density.fourier import rho_g

    metric, right = wave_projection(shells, sphere, target)
    coefficients = charge_constrained_fit(
        metric, right, shells.charges, charge=charge, ridge=_RIDGE
    )
    fitted = replace(shells, coefficients=coefficients)
    return fitted, target - rho_g(fitted, sphere.miller)


def _energy_ha(sphere: HalfSphere, missed: NDArray[np.complex128]) -> float:
    """Return (d|d)/2 of what is missed, in electrons."""
    return 0.5 * float(sphere.weights @ np.abs(missed) ** 2)


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
