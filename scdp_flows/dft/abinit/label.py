"""Label one crystal: converge it, take its density and fit it by Gaussian shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.handlers import correction
from scdp_flows.dft.abinit.scf import run_scf
from scdp_flows.dft.base import ScfInfo
from scdp_flows.dft.plane_waves.handlers import run_corrected
from scdp_flows.dft.plane_waves.label import LabelClock, crystal_label
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.base import Label
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["label_structure"]

# ABINIT converges the potential; what is told of the energy is its last change, Hartree.
_LEAST_CHANGE = 1e-15


def label_structure(
    structure: AtomicStructure,
    settings: AbinitSettings,
    fit_to: tuple[AtomicReference, BasisSet] | None = None,
) -> Label:
    """Compute the density of a crystal.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    fit_to
        Spherical atoms and the basis of the difference to them; None leaves the fit out.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    CalculationError
        If it does not converge, or the density does not hold the electrons.
    """
    clock = LabelClock()
    crystal = as_crystal(structure, settings)
    done = run_corrected(lambda corrected: run_scf(crystal, corrected), settings, correction)
    run, settings = done.result, done.settings
    check_converged(run, crystal.formula, settings.program, f"tolvrs {settings.tolvrs}")
    if run.density is None or run.waves is None:
        raise CalculationError(f"{crystal.formula}: abinit wrote no density")
    scf = ScfInfo(
        energy_ev=run.energy_ev,
        iterations=run.iterations,
        fock_builds=run.hamiltonian_calls,
        n_orbitals=run.output.n_orbital_waves,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        conv_tol_ha=max(abs(run.energies_ha[-2:][0] - run.energy_ha), _LEAST_CHANGE),
        correction=done.words,
    )
    label = crystal_label(crystal, settings, run.density, run.waves, scf, fit_to)
    return clock.timed(label, run)
