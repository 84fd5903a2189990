"""Label one molecule: converge it, put its density on a grid and fit it by Gaussian shells."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.base import Label, ScfInfo
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.fit import fit_density, fit_shells, with_spin_fit
from scdp_flows.dft.pyscf.grid import box_density
from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.scf import check_converged, run_scf
from scdp_flows.errors import CalculationError
from scdp_flows.io.structures import as_arrays, molecule_box
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.base import Fit
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet

__all__ = ["fit_of_run", "label_structure"]

_MOST_REFINEMENTS = 3


def label_structure(
    structure: AtomicStructure, settings: PyscfSettings, fit_basis: BasisSet | None = None
) -> Label:
    """Compute the density of a molecule.

    Parameters
    ----------
    structure
        Positions in Å, charge and spin multiplicity.
    settings
        How to compute.
    fit_basis
        Basis of the fit to the difference from superposed atoms; None leaves the fit out.

    Raises
    ------
    StructureError
        If the molecule cannot be computed by anyone, or not with shared orbitals.
    CalculationError
        If an element lacks a basis, the calculation does not converge, or the grid does not hold
        the electrons.
    """
    cpu, wall = time.process_time(), time.perf_counter()
    mol = build_molecule(structure, settings)
    run = run_scf(mol, settings)
    check_converged(run, structure.formula, settings.conv_tol_ha)
    density, error = _grid_density(run, structure, settings)
    fit = None
    if fit_basis is not None:
        fit = _with_nmae(fit_of_run(run, structure, settings, fit_basis), density)
    return Label(
        density=density,
        scf=_scf_info(run),
        fit=fit,
        n_electrons=float(mol.nelectron),
        integral_error=error,
        cpu_s=time.process_time() - cpu,
        wall_s=time.perf_counter() - wall,
    )


def _scf_info(run: ScfRun) -> ScfInfo:
    return ScfInfo(
        energy_ev=run.energy_ha * HARTREE_TO_EV,
        iterations=run.iterations,
        fock_builds=run.fock_builds,
        n_orbitals=int(run.mf.mol.nao),
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        conv_tol_ha=float(run.mf.conv_tol),
        grid_level=int(run.mf.grids.level),
        correction=run.correction,
    )


def _occupied(mf: Any) -> list[NDArray[np.float64]]:
    """Return the orbitals of each spin (of both, if shared) times the root of occupation."""
    coefficients, occupations = np.asarray(mf.mo_coeff), np.asarray(mf.mo_occ)
    if occupations.ndim == 1:
        coefficients, occupations = coefficients[None], occupations[None]
    return [c[:, n > 0] * np.sqrt(n[n > 0]) for c, n in zip(coefficients, occupations, strict=True)]


def _grid_density(
    run: ScfRun, structure: AtomicStructure, settings: PyscfSettings
) -> tuple[ChargeDensity, float]:
    """Refine the grid until it holds the electrons; return how many it holds too many, too.

    Tight functions (O, F) alias on the default grid by up to some 1e-3 electrons, depending on
    where the atoms lie between its points; a slightly finer grid cures it.
    """
    errors = []
    n_electrons = run.mf.mol.nelectron
    for refinement in range(_MOST_REFINEMENTS + 1):
        density = _density_on_grid(run, structure, settings, settings.spacing * 0.85**refinement)
        errors.append(_excess(density, n_electrons, settings))
        if abs(errors[-1]) <= settings.charge_tolerance:
            return density, errors[-1]
    raise CalculationError(
        f"{structure.formula}: grids of spacing {settings.spacing} Å and finer integrate to "
        f"{', '.join(f'{n_electrons + error:.5f}' for error in errors)} electrons, expected "
        f"{n_electrons} within {settings.charge_tolerance}; raise padding (now {settings.padding} "
        "Å) if electrons are missing on all of them, else lower spacing"
    )


def _excess(density: ChargeDensity, n_electrons: int, settings: PyscfSettings) -> float:
    """Return the integral less the electron count, without what spherical cores alias."""
    if not settings.all_electrons:
        return density.integral() - n_electrons
    from scdp_models.density.evaluate import evaluate_on_grid

    numbers = density.numbers.tolist()
    atoms = atomic_reference(settings, numbers).superposition(numbers, density.positions)
    known = evaluate_on_grid(atoms, density.origin, density.cell, density.shape)
    beyond = float((density.values - known).sum()) * density.voxel_volume
    return beyond + atoms.n_electrons() - n_electrons


def _density_on_grid(
    run: ScfRun, structure: AtomicStructure, settings: PyscfSettings, spacing: float
) -> ChargeDensity:
    numbers, positions, _, _ = as_arrays(structure)
    box = molecule_box(positions, spacing=spacing, padding=settings.padding)
    spins = box_density(run.mf.mol, _occupied(run.mf), box)
    return ChargeDensity(
        values=spins.sum(axis=0) if len(spins) > 1 else spins[0],
        cell=box.cell,
        origin=box.origin,
        numbers=numbers,
        positions=positions,
        magnetization=spins[0] - spins[1] if len(spins) > 1 else None,
        kind=settings.kind(),
    )


def fit_of_run(
    run: ScfRun, structure: AtomicStructure, settings: PyscfSettings, basis: BasisSet
) -> Fit:
    """Fit the density of a converged calculation, and the spin density of an open shell.

    Parameters
    ----------
    run, structure, settings
        The calculation, its molecule and its settings.
    basis
        Shells of the fit.
    """
    numbers, positions, _, _ = as_arrays(structure)
    shells = fit_shells(numbers, positions, basis)
    mol, dm, spin_dm = run.mf.mol, run.dm, run.spin_dm
    fit = fit_density(
        mol,
        dm,
        coulomb_energy_ha=_coulomb_energy(run, dm),
        reference=atomic_reference(settings, numbers.tolist()),
        shells=shells,
        basis_name=basis.name,
    )
    if spin_dm is None:
        return fit
    return with_spin_fit(fit, mol, spin_dm, coulomb_energy_ha=_coulomb_energy(run, spin_dm))


def _coulomb_energy(run: ScfRun, dm: NDArray[np.float64]) -> float:
    return 0.5 * float(np.einsum("ij,ji->", run.mf.get_j(run.mf.mol, dm), dm))


def _with_nmae(fit: Fit, density: ChargeDensity) -> Fit:
    from scdp_models.density.evaluate import evaluate_on_grid

    values = evaluate_on_grid(fit.density, density.origin, density.cell, density.shape)
    error = 100 * np.abs(values - density.values).sum() / np.abs(density.values).sum()
    return replace(fit, info=replace(fit.info, nmae_percent=float(error)))
