"""Fit the density of a density matrix by Gaussian shells in the Coulomb metric."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.base import Fit, FitInfo
from scdp_flows.dft.pyscf.auxiliary import contract_with_density_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["fit_density", "fit_shells", "with_spin_fit"]

_RIDGE = 1e-6


def fit_shells(
    numbers: NDArray[np.int64], positions: NDArray[np.float64], basis: BasisSet
) -> OrbitalDensity:
    """Place a basis on the atoms and, if it has a set for them, on the bond midpoints.

    Parameters
    ----------
    numbers, positions
        Shapes ``(n,)`` and ``(n, 3)`` (Å).
    basis
        The basis.

    Raises
    ------
    BasisError
        If an element is not in the basis.
    """
    from scdp_models.density.orbital import OrbitalDensity

    if basis.has_midpoints:
        from scdp_models.basis.shells import MIDPOINT
        from scdp_models.virtual_nodes import bond_midpoints

        midpoints = bond_midpoints(numbers, positions).positions
        numbers = np.concatenate([numbers, np.full(len(midpoints), MIDPOINT)])
        positions = np.concatenate([positions, midpoints])
    return OrbitalDensity.from_basis(basis, numbers, positions)


def fit_density(
    mol: Any,
    dm: NDArray[np.float64],
    *,
    coulomb_energy_ha: float,
    reference: AtomicReference,
    shells: OrbitalDensity,
    basis_name: str = "",
) -> Fit:
    """Fit a density less its superposed atoms, the charge held exactly.

    Minimises (rho - fit | rho - fit) / 2. The error comes out exactly, without quadrature:
    E_J - c.(P|rho) + c.(P|Q).c / 2.

    Parameters
    ----------
    mol, dm
        PySCF molecule and its density matrix, both spins together.
    coulomb_energy_ha
        (rho|rho) / 2 of the density matrix.
    reference
        Spherical atoms.
    shells
        Where to fit; see :func:`fit_shells`.
    basis_name
        Is recorded.
    """
    from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix

    numbers = shells.numbers[shells.numbers > 0]
    atoms = reference.superposition(numbers, shells.positions[shells.numbers > 0])
    # The atoms' shells keep the centres of the fit, so that the sum has each centre once.
    atoms = replace(atoms, numbers=shells.numbers, positions=shells.positions)
    both = atoms + shells
    projection = contract_with_density_matrix(mol, both, dm)
    metric = coulomb_matrix(both)
    n = atoms.n_functions
    coefficients = charge_constrained_fit(
        metric[n:, n:],
        projection[n:] - metric[n:, :n] @ atoms.coefficients,
        shells.charges,
        charge=mol.nelectron - atoms.n_electrons(),
        ridge=_RIDGE,
    )
    total = np.concatenate([atoms.coefficients, coefficients])
    error = coulomb_energy_ha - total @ projection + 0.5 * total @ metric @ total
    info = FitInfo(
        basis=basis_name,
        n_functions=shells.n_functions,
        coulomb_error_ha=float(error),
        n_electrons=float(both.charges @ total),
    )
    return Fit(atoms, replace(shells, coefficients=coefficients), info)


def with_spin_fit(
    fit: Fit, mol: Any, spin_dm: NDArray[np.float64], *, coulomb_energy_ha: float
) -> Fit:
    """Fit the spin density in the same shells, the number of unpaired electrons held exactly.

    Parameters
    ----------
    fit
        Of the density.
    mol, spin_dm
        PySCF molecule and its density matrix of spin up less that of spin down.
    coulomb_energy_ha
        (m|m) / 2 of that matrix.
    """
    from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix

    shells = fit.difference
    projection, metric = contract_with_density_matrix(mol, shells, spin_dm), coulomb_matrix(shells)
    coefficients = charge_constrained_fit(
        metric, projection, shells.charges, charge=float(mol.spin), ridge=_RIDGE
    )
    error = (
        coulomb_energy_ha - coefficients @ projection + 0.5 * coefficients @ metric @ coefficients
    )
    info = replace(fit.info, spin_coulomb_error_ha=float(error))
    return replace(fit, spin=replace(shells, coefficients=coefficients), info=info)
