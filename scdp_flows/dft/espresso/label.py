"""Label one crystal: converge it, take its density and fit it by Gaussian shells."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from scdp_flows.dft.base import Label, ScfInfo
from scdp_flows.dft.espresso.fit import fit_waves
from scdp_flows.dft.espresso.scf import check_converged, run_scf
from scdp_flows.dft.espresso.structure import as_crystal
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["label_structure"]


def label_structure(
    structure: AtomicStructure,
    settings: EspressoSettings,
    reference: AtomicReference | None = None,
    fit_basis: BasisSet | None = None,
) -> Label:
    """Compute the density of a crystal.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    reference
        Spherical atoms from which the fit takes the difference; needed with a basis.
    fit_basis
        Basis of the fit; None leaves the fit out.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    CalculationError
        If it does not converge, or the density does not hold the electrons.
    """
    cpu, wall = time.thread_time(), time.perf_counter()
    crystal = as_crystal(structure, settings)
    run = run_scf(crystal, settings, on_grid=True)
    check_converged(run, crystal.formula, settings)
    if run.density is None or run.final is None:
        raise CalculationError(f"{crystal.formula}: pw.x wrote no density")
    density = replace(run.density, kind=settings.kind())
    error = density.integral() - crystal.n_electrons
    if abs(error) > settings.charge_tolerance:
        raise CalculationError(
            f"{crystal.formula}: the density holds {crystal.n_electrons + error:.5f} electrons, "
            f"expected {crystal.n_electrons:g} within {settings.charge_tolerance}"
        )
    fit = None
    if fit_basis is not None and reference is not None:
        fit = fit_waves(crystal, run.final.waves, reference, fit_basis, density.shape)
    return Label(
        density=density,
        scf=_scf_info(run, settings),
        fit=fit,
        n_electrons=crystal.n_electrons,
        integral_error=error,
        cpu_s=time.thread_time() - cpu + run.cpu_s,
        wall_s=time.perf_counter() - wall,
    )


def _scf_info(run: PwRun, settings: EspressoSettings) -> ScfInfo:
    return ScfInfo(
        energy_ev=run.energy_ev,
        iterations=run.output.iterations,
        fock_builds=run.output.h_psi_calls,
        n_orbitals=run.n_orbital_waves,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        conv_tol_ha=0.5 * settings.conv_thr_ry,
    )
