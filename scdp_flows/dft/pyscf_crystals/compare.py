"""Converge one crystal with PySCF from several starts and record what each was worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.plane_waves.compare import (
    StartErrors,
    check_names,
    compared_starts,
    seed_makers,
    starts_alone,
)
from scdp_flows.dft.plane_waves.handlers import Corrected
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.pyscf_crystals.cell import build_cell
from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem
from scdp_flows.dft.pyscf_crystals.seed import (
    CrystalCalculation,
    CrystalSeed,
    density_seed,
    grid_seed,
    grid_waves,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scdp_flows.dft.base import GivenDensity, ScfStart
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
    from scdp_flows.dft.pyscf_crystals.scf import CrystalRun
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["seeded_comparison", "seeded_starts"]


def seeded_comparison(
    structure: AtomicStructure,
    settings: PyscfCrystalSettings,
    densities: Mapping[str, GivenDensity],
    *,
    conv_tol_ha: float = 1e-9,
) -> list[ScfStart]:
    """Converge a crystal from the default guess, from each density, and from the exact one.

    The orbitals on the grid and the fixed integrals are computed once; every calculation counts
    their time as its own.

    Parameters
    ----------
    structure
        The crystal.
    settings
        How to compute.
    densities
        Name → total density to start from.
    conv_tol_ha
        Convergence threshold of all calculations, Hartree.

    Returns
    -------
    list of ScfStart
        ``"default"`` first, then `densities` in their order, ``"exact"`` last.

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
    system = CrystalSystem(build_cell(structure, settings), settings)
    calculation = CrystalCalculation(system, conv_tol_ha)
    default = calculation.run()
    _check(default, system, conv_tol_ha)
    exact = system.grid.density(default.dm)
    errors = StartErrors(grid_waves(system, settings, exact), system.grid.shape)
    made: dict[str, CrystalSeed] = {}

    def kept(name: str, make: Callable[[], CrystalSeed]) -> Callable[[], CrystalSeed]:
        return lambda: made.setdefault(name, make())

    makers = seed_makers(densities, lambda one: density_seed(system, settings, one))
    makers["exact"] = lambda: grid_seed(system, settings, exact)
    seeds = {name: kept(name, make) for name, make in makers.items()}
    starts = compared_starts(
        calculation, Corrected(default, settings), seeds, errors, lambda seed: seed.waves
    )
    guess = system.grid.density(system.mean_field(conv_tol_ha).get_init_guess())
    waves = grid_waves(system, settings, guess)
    starts[0] = errors.added(starts[0], waves.components[0])
    norm = np.abs(exact).sum()
    return [
        replace(
            start,
            fock_cpu_s=default.fock_cpu_s,
            correction=None if start.seed_used else default.correction,
            nmae_dm0_percent=100
            * float(np.abs(system.grid.density(made[start.start].dm0) - exact).sum() / norm)
            if start.start in made
            else None,
        )
        for start in starts
    ]


def seeded_starts(
    structure: AtomicStructure,
    settings: PyscfCrystalSettings,
    densities: Mapping[str, GivenDensity],
    *,
    conv_tol_ha: float = 1e-9,
) -> list[ScfStart]:
    """Converge a crystal from each density, without anything to compare with.

    Parameters
    ----------
    structure, settings, densities, conv_tol_ha
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
    system = CrystalSystem(build_cell(structure, settings), settings)
    seeds = seed_makers(densities, lambda one: density_seed(system, settings, one))

    def finish(run: CrystalRun) -> Corrected[CrystalRun, PyscfCrystalSettings]:
        _check(run, system, conv_tol_ha)
        return Corrected(run, settings, words=run.correction)

    return starts_alone(CrystalCalculation(system, conv_tol_ha), seeds, finish)


def _check(run: CrystalRun, system: CrystalSystem, conv_tol_ha: float) -> None:
    check_converged(run, system.crystal.formula, "PySCF", f"{conv_tol_ha} Ha")
