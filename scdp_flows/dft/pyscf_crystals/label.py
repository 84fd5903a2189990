"""Label one crystal: converge it, take its density and fit it by Gaussian shells."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.base import ScfInfo
from scdp_flows.dft.plane_waves.label import crystal_label
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf_crystals.cell import build_cell
from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem
from scdp_flows.dft.pyscf_crystals.seed import grid_waves
from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_flows.dft.base import Label
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["crystal_atoms", "label_structure"]


def crystal_atoms(settings: PyscfCrystalSettings, elements: Iterable[int]) -> AtomicReference:
    """Return the spherical neutral atoms of some elements, those of molecules of the same kind.

    Parameters
    ----------
    settings
        Functional, pseudopotential and basis.
    elements
        Atomic numbers.

    Raises
    ------
    CalculationError
        If an element has no pseudopotential or basis, or its atom does not converge.
    """
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

    of_atoms = PyscfSettings(
        functional=settings.functional,
        pseudopotential=settings.pseudopotential,
        basis=settings.basis,
    )
    return atomic_reference(of_atoms, elements)


def label_structure(
    structure: AtomicStructure,
    settings: PyscfCrystalSettings,
    fit_basis: BasisSet | None = None,
) -> Label:
    """Compute the density of a crystal.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    fit_basis
        Basis of the fit to the difference from superposed atoms; None leaves the fit out.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    CalculationError
        If it does not converge, or the density does not hold the electrons.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    system = CrystalSystem(build_cell(structure, settings), settings)
    crystal, run = system.crystal, system.run()
    check_converged(run, crystal.formula, "PySCF", f"{settings.conv_tol_ha} Ha")
    values = system.grid.density(run.dm)
    density = ChargeDensity(
        values=values.reshape(system.grid.shape) / BOHR_TO_ANGSTROM**3,
        cell=crystal.cell,
        origin=np.zeros(3),
        numbers=crystal.numbers,
        positions=crystal.positions,
        pbc=(True, True, True),
    )
    scf = ScfInfo(
        energy_ev=run.energy_ha * HARTREE_TO_EV,
        iterations=run.iterations,
        fock_builds=run.hamiltonian_calls,
        n_orbitals=int(system.cell.nao),
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        conv_tol_ha=settings.conv_tol_ha,
        correction=run.correction,
    )
    fit_to = None
    if fit_basis is not None:
        fit_to = crystal_atoms(settings, crystal.numbers.tolist()), fit_basis
    waves = grid_waves(system, settings, values)
    label = crystal_label(crystal, settings, density, waves, scf, fit_to)
    return replace(label, cpu_s=time.process_time() - cpu, wall_s=time.perf_counter() - wall)
