"""Converge one crystal with ABINIT from several starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.handlers import correction
from scdp_flows.dft.abinit.scf import run_scf
from scdp_flows.dft.abinit.seed import AbinitCalculation
from scdp_flows.dft.plane_waves.compare import (
    StartErrors,
    check_names,
    compared_starts,
    seed_makers,
    starts_alone,
)
from scdp_flows.dft.plane_waves.handlers import Corrected, run_corrected
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.abinit.scf import AbinitRun
    from scdp_flows.dft.base import GivenDensity, ScfStart
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["seeded_comparison", "seeded_starts"]

_EXACT_TOLWFR = 1e-8


def seeded_comparison(
    structure: AtomicStructure,
    settings: AbinitSettings,
    densities: Mapping[str, GivenDensity],
    *,
    seed_tolwfr: float = 1e-5,
) -> list[ScfStart]:
    """Converge a crystal from the default guess, from each density, and from the exact one.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    densities
        Name → density to start from.
    seed_tolwfr
        Squared residual to which orbitals are converged for a given density; 1e-8 or less for the
        exact one.

    Returns
    -------
    list of ScfStart
        ``"default"`` first, then `densities` in their order, ``"exact"`` last. What they call Fock
        builds are applications of the Hamiltonian to a band.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    CalculationError
        If it does not converge from the default guess.
    SettingsError
        If a density is named ``"default"`` or ``"exact"``.
    """
    check_names(densities)
    crystal = as_crystal(structure, settings)
    first = run_corrected(lambda corrected: run_scf(crystal, corrected), settings, correction)
    default, settings = first.result, first.settings
    _check(default, crystal, settings)
    exact = default.waves
    if exact is None or default.density is None:
        raise CalculationError(f"{crystal.formula}: abinit wrote no density to compare with")
    seeds = seed_makers(densities, lambda one: seed_waves(crystal, settings, one))
    errors = StartErrors(exact, default.density.shape)
    calculation = AbinitCalculation(crystal, settings, seed_tolwfr)
    starts = compared_starts(calculation, first, seeds, errors, lambda waves: waves)
    # Orbitals less converged would hide what the best of densities is worth.
    best = AbinitCalculation(crystal, settings, min(seed_tolwfr, _EXACT_TOLWFR))
    ceiling = compared_starts(best, first, {"exact": lambda: exact}, errors, lambda waves: waves)
    return [*starts, ceiling[-1]]


def seeded_starts(
    structure: AtomicStructure,
    settings: AbinitSettings,
    densities: Mapping[str, GivenDensity],
    *,
    seed_tolwfr: float = 1e-5,
) -> list[ScfStart]:
    """Converge a crystal from each density, without anything to compare with.

    Parameters
    ----------
    structure, settings, densities, seed_tolwfr
        As in :func:`seeded_comparison`.

    Raises
    ------
    StructureError
        If the structure cannot be computed.
    CalculationError
        If a start falls back to the default guess, and that does not converge.
    SettingsError
        If a density is named ``"default"`` or ``"exact"``.
    """
    check_names(densities)
    crystal = as_crystal(structure, settings)
    calculation = AbinitCalculation(crystal, settings, seed_tolwfr)
    seeds = seed_makers(densities, lambda one: seed_waves(crystal, settings, one))
    return starts_alone(calculation, seeds, lambda run: _finished(run, crystal, settings))


def _check(run: AbinitRun, crystal: Crystal, settings: AbinitSettings) -> None:
    check_converged(run, crystal.formula, settings.program, f"tolvrs {settings.tolvrs}")


def _finished(
    run: AbinitRun, crystal: Crystal, settings: AbinitSettings
) -> Corrected[AbinitRun, AbinitSettings]:
    """Try again what did not converge from the program's own guess."""
    done = run_corrected(
        lambda corrected: run_scf(crystal, corrected), settings, correction, first=run
    )
    _check(done.result, crystal, done.settings)
    return done
