"""Converge one crystal from several starts and record what each was worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.base import ScfStart
from scdp_flows.dft.espresso.atoms import superposed_waves
from scdp_flows.dft.espresso.scf import check_converged, run_scf
from scdp_flows.dft.espresso.seed import run_seeded, seed_files
from scdp_flows.dft.espresso.structure import as_crystal
from scdp_flows.errors import CalculationError, SettingsError
from scdp_flows.io.espresso_waves import waves_on_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.espresso.files import SeedFiles
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.dft.espresso.seed import SeededRun
    from scdp_flows.dft.espresso.structure import Crystal
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["StartErrors", "seeded_comparison"]


class StartErrors:
    """Measure densities against a converged one.

    Parameters
    ----------
    run
        The converged calculation, with its density on the grid.

    Raises
    ------
    CalculationError
        If it has no density.
    """

    def __init__(self, run: PwRun) -> None:
        if run.final is None or run.density is None:
            raise CalculationError("the calculation has no density to compare with")
        self.waves, self._shape = run.final.waves, run.density.shape
        squares = ((self.waves.indices @ self.waves.reciprocal) ** 2).sum(axis=1)
        self._kernel = np.divide(4 * np.pi, squares, out=np.zeros_like(squares), where=squares > 0)
        self._volume = (2 * np.pi) ** 3 / abs(np.linalg.det(self.waves.reciprocal))
        exact = waves_on_grid(self.waves, self.waves.components[0], self._shape)
        self._norm = np.abs(exact).sum()

    def nmae(self, coefficients: NDArray[np.complex128]) -> float:
        """Return the NMAE in percent of waves ``(n_waves,)`` in e/bohr^3."""
        missed = coefficients - self.waves.components[0]
        return 100 * float(
            np.abs(waves_on_grid(self.waves, missed, self._shape)).sum() / self._norm
        )

    def coulomb(self, coefficients: NDArray[np.complex128]) -> float:
        """Return (d|d)/2 of the error d in Hartree per cell."""
        missed = np.abs(coefficients - self.waves.components[0]) ** 2
        both = 2.0 if self.waves.is_half else 1.0
        return float(0.5 * both * self._volume * (self._kernel @ missed))


def seeded_comparison(
    structure: AtomicStructure,
    settings: EspressoSettings,
    densities: Mapping[str, StartDensity],
    *,
    diago_thr_init: float | None = None,
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
    taken = {"default", "exact"} & set(densities)
    if taken:
        raise SettingsError(f"densities are named {sorted(taken)}; these names have a meaning")
    crystal = as_crystal(structure, settings)
    default = run_scf(crystal, settings, on_grid=True)
    check_converged(default, crystal.formula, settings)
    errors = StartErrors(default)

    def compared(name: str, run: SeededRun) -> ScfStart:
        return _with_errors(_start(name, run, default), run.seed, errors)

    starts = [_default_start(crystal, settings, default, errors)]
    for name, density in densities.items():
        run = run_seeded(
            crystal,
            settings,
            lambda density=density: seed_files(crystal, settings, density),  # type: ignore[misc]
            default=default,
            diago_thr_init=diago_thr_init,
        )
        starts.append(compared(name, run))
    exact = run_seeded(
        crystal,
        settings,
        lambda: _converged(default),
        default=default,
        diago_thr_init=diago_thr_init,
    )
    return [*starts, compared("exact", exact)]


def _converged(run: PwRun) -> SeedFiles:
    if run.final is None:
        raise CalculationError("the default calculation has no density")
    return run.final


def _with_errors(start: ScfStart, seed: SeedFiles | None, errors: StartErrors) -> ScfStart:
    """Add how far the start was off, where its waves are those of the converged density."""
    if seed is None or not np.array_equal(seed.waves.indices, errors.waves.indices):
        return start
    values = seed.waves.components[0]
    return replace(start, nmae_percent=errors.nmae(values), coulomb_error_ha=errors.coulomb(values))


def _default_start(
    crystal: Crystal, settings: EspressoSettings, run: PwRun, errors: StartErrors
) -> ScfStart:
    start = ScfStart(
        start="default",
        seed_used=False,
        fallback_reason=None,
        converged=run.output.converged,
        iterations=run.output.iterations,
        fock_builds=run.output.h_psi_calls,
        energy_ha=run.energy_ha,
        energy_ev=run.energy_ev,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        energy_difference_ha=0.0,
        energies_ha=tuple(0.5 * energy for energy in run.output.energies_ry),
    )
    if any(p.is_gth for p in settings.all_pseudopotentials(crystal.symbols)):
        return start  # what the program starts from then is not known
    values = superposed_waves(crystal, settings, errors.waves.indices)
    return replace(start, nmae_percent=errors.nmae(values), coulomb_error_ha=errors.coulomb(values))


def _start(name: str, seeded: SeededRun, default: PwRun) -> ScfStart:
    """Record a seeded run; what a discarded attempt cost is added."""
    runs = [seeded.result]
    if seeded.fallback_reason is not None and seeded.attempt is not None:
        runs.insert(0, seeded.attempt)
    result = seeded.result
    return ScfStart(
        start=name,
        seed_used=seeded.fallback_reason is None,
        fallback_reason=seeded.fallback_reason,
        converged=result.output.converged,
        iterations=sum(run.output.iterations for run in runs),
        fock_builds=sum(run.output.h_psi_calls for run in runs),
        energy_ha=result.energy_ha,
        energy_ev=result.energy_ev,
        cpu_s=sum(run.cpu_s for run in runs) + seeded.seed_cpu_s,
        wall_s=sum(run.wall_s for run in runs) + seeded.seed_wall_s,
        seed_cpu_s=seeded.seed_cpu_s,
        energy_difference_ha=result.energy_ha - default.energy_ha,
        energies_ha=tuple(0.5 * energy for run in runs for energy in run.output.energies_ry),
    )
