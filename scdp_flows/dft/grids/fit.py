"""Fit a density on a grid by Gaussian shells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.grids.waves import as_box, grid_waves
from scdp_flows.dft.plane_waves.fit import fit_waves
from scdp_flows.errors import DensityError

if TYPE_CHECKING:
    from scdp_flows.density import ChargeDensity
    from scdp_flows.dft.base import Fit
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["fit_grid"]

# e. What real CHGCARs miss is below 2e-4; an ion misses a whole one.
_CHARGE = 0.05


def fit_grid(density: ChargeDensity, reference: AtomicReference, basis: BasisSet) -> Fit:
    """Fit a density less its superposed atoms, the electrons of the neutral atoms held exactly.

    A molecule is fitted in its box, repeated, and is a molecule again in the result.

    Parameters
    ----------
    density
        Of a crystal or a molecule.
    reference
        Spherical atoms.
    basis
        What to fit with.

    Raises
    ------
    DensityError
        If the density is not that of neutral atoms, or periodic in some directions only.
    """
    expected = sum(reference.atom(z).n_electrons for z in density.numbers.tolist())
    crystal = as_box(density, expected)
    found = density.integral()
    if abs(found - expected) > _CHARGE:
        raise DensityError(
            f"{crystal.formula}: holds {found:.4f} electrons and neutral atoms have {expected:g}; "
            "ions and densities of other pseudopotentials cannot be fitted with these atoms: leave "
            "it out"
        )
    fit = fit_waves(crystal, grid_waves(density), reference, basis, density.shape)
    return replace(
        fit,
        reference=_put_back(fit.reference, density),
        difference=_put_back(fit.difference, density),
    )


def _put_back(shells: OrbitalDensity, density: ChargeDensity) -> OrbitalDensity:
    """Return to where the density was, and to a molecule if it was one."""
    is_periodic = all(density.pbc)
    return replace(
        shells,
        positions=shells.positions + np.asarray(density.origin),
        cell=density.cell if is_periodic else None,
        pbc=density.pbc,
    )
