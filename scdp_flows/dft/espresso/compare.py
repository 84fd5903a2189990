"""Converge one crystal with ``pw.x`` from several starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.dft.espresso.handlers import correction
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.espresso.seed import PwCalculation, seed_files
from scdp_flows.dft.plane_waves.atoms import superposed_waves
from scdp_flows.dft.plane_waves.compare import (
    StartErrors,
    check_names,
    compared_starts,
    seed_makers,
    starts_alone,
)
from scdp_flows.dft.plane_waves.handlers import Corrected, run_corrected
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scdp_flows.dft.base import GivenDensity, ScfStart
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["seeded_comparison", "seeded_starts"]


def seeded_comparison(
    structure: AtomicStructure,
    settings: EspressoSettings,
    densities: Mapping[str, GivenDensity],
    *,
    diago_thr_init: float | None = None,
    paw_bootstrap: bool = False,
) -> list[ScfStart]:
    """Converge a crystal from the default guess, from each density, and from the exact one.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    densities
        Name → total density to start from.
    diago_thr_init
        Threshold of the first diagonalisation of all calculations but the default.
    paw_bootstrap
        Whether occupancies of projector-augmented waves are found by a preliminary cycle.

    Returns
    -------
    list of ScfStart
        ``"default"`` first, then `densities` in their order, ``"exact"`` last. What they call Fock
        builds are applications of the Hamiltonian to orbitals.

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
    first = run_corrected(
        lambda corrected: run_scf(crystal, corrected, on_grid=True), settings, correction
    )
    default, settings = first.result, first.settings
    _check(default, crystal, settings)
    final = default.final
    if final is None or default.density is None:
        raise CalculationError(f"{crystal.formula}: pw.x wrote no density to compare with")
    errors = StartErrors(final.waves, default.density.shape)
    seeds = seed_makers(
        densities, lambda one: seed_files(crystal, settings, one, paw_bootstrap=paw_bootstrap)
    )
    seeds["exact"] = lambda: final
    calculation = PwCalculation(crystal, settings, diago_thr_init)
    own, *others = compared_starts(calculation, first, seeds, errors, lambda seed: seed.waves)
    # What the program starts from is known where the files hold atomic densities.
    if not any(p.is_gth for p in settings.all_pseudopotentials(crystal.symbols)):
        own = errors.added(own, superposed_waves(crystal, settings, errors.waves.indices))
    return [own, *others]


def seeded_starts(
    structure: AtomicStructure,
    settings: EspressoSettings,
    densities: Mapping[str, GivenDensity],
    *,
    diago_thr_init: float | None = None,
    paw_bootstrap: bool = False,
) -> list[ScfStart]:
    """Converge a crystal from each density, without anything to compare with.

    Parameters
    ----------
    structure, settings, densities, diago_thr_init, paw_bootstrap
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
    seeds = seed_makers(
        densities, lambda one: seed_files(crystal, settings, one, paw_bootstrap=paw_bootstrap)
    )
    calculation = PwCalculation(crystal, settings, diago_thr_init)
    return starts_alone(calculation, seeds, lambda run: _finished(run, crystal, settings))


def _check(run: PwRun, crystal: Crystal, settings: EspressoSettings) -> None:
    check_converged(run, crystal.formula, settings.program, f"{settings.conv_thr_ry} Ry")


def _finished(
    run: PwRun, crystal: Crystal, settings: EspressoSettings
) -> Corrected[PwRun, EspressoSettings]:
    """Try again what did not converge from the program's own guess."""
    done = run_corrected(
        lambda corrected: run_scf(crystal, corrected), settings, correction, first=run
    )
    _check(done.result, crystal, done.settings)
    return done
