"""Small molecules, cheap settings, and one converged water molecule for all tests of PySCF."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.inputs import PyscfSettings

if TYPE_CHECKING:
    from scdp_flows.dft.base import Fit
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference


class Water(NamedTuple):
    """A converged water molecule and its fit."""

    structure: Molecule
    settings: PyscfSettings
    mol: Any
    run: ScfRun
    reference: AtomicReference
    basis: BasisSet
    fit: Fit


@pytest.fixture(scope="session")
def cheap() -> PyscfSettings:
    """Give settings that cost little: a small basis, a coarse grid and its loose gate."""
    return PyscfSettings(basis="gth-dzvp", spacing=0.3, padding=3.5, charge_tolerance=0.02)


@pytest.fixture(scope="session")
def hydrogen() -> Molecule:
    """Give H2."""
    return Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.1, 0.74]])


@pytest.fixture(scope="session")
def converged_water(cheap: PyscfSettings) -> Water:
    """Converge and fit water once."""
    pytest.importorskip("pyscf")
    from scdp_flows.dft.pyscf.atoms import atomic_reference
    from scdp_flows.dft.pyscf.fit import fit_density, fit_shells
    from scdp_flows.dft.pyscf.molecule import build_molecule
    from scdp_flows.dft.pyscf.scf import run_scf
    from scdp_flows.io.structures import as_arrays
    from scdp_models.basis.library import lean_basis

    # Tilted, so that no symmetry hides an error.
    places = [[0.0, 0.02, 0.12], [0.1, 0.76, -0.48], [-0.2, -0.74, -0.45]]
    structure = Molecule(["O", "H", "H"], places)
    mol = build_molecule(structure, cheap)
    run = run_scf(mol, cheap, conv_tol_ha=1e-9)
    reference, basis = atomic_reference(cheap, [1, 8]), lean_basis([1, 8])
    numbers, positions, _, _ = as_arrays(structure)
    fit = fit_density(
        mol,
        run.dm,
        coulomb_energy_ha=0.5 * float((run.mf.get_j(mol, run.dm) * run.dm).sum()),
        reference=reference,
        shells=fit_shells(numbers, positions, basis),
        basis_name=basis.name,
    )
    return Water(structure, cheap, mol, run, reference, basis, fit)


@pytest.fixture(scope="session")
def all_electrons(cheap: PyscfSettings) -> PyscfSettings:
    """Give cheap settings without pseudopotentials."""
    return replace(cheap, pseudopotential="none", basis="def2-svp")
