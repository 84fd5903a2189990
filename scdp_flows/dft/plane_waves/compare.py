"""Converge one crystal from several starts and record what each was worth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from scdp_flows.dft.base import ScfStart, made_density
from scdp_flows.dft.plane_waves.program import ScfRun
from scdp_flows.dft.plane_waves.seed import run_seeded
from scdp_flows.dft.plane_waves.wave_list import coulomb_weights
from scdp_flows.errors import SettingsError
from scdp_flows.io.espresso_waves import waves_on_grid
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from scdp_flows.dft.base import GivenDensity, StartDensity
    from scdp_flows.dft.plane_waves.handlers import Corrected
    from scdp_flows.dft.plane_waves.seed import Calculation, SeededRun
    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["StartErrors", "check_names", "compared_starts", "seed_makers", "starts_alone"]

R = TypeVar("R", bound=ScfRun)
S = TypeVar("S")


class StartErrors:
    """Measure densities against a converged one.

    Parameters
    ----------
    waves
        The converged density.
    shape
        Grid on which the NMAE is taken.
    """

    def __init__(self, waves: EspressoWaves, shape: tuple[int, int, int]) -> None:
        self.waves, self._shape = waves, shape
        self._weights = coulomb_weights(waves)
        self._norm = np.abs(waves_on_grid(waves, waves.components[0], shape)).sum()

    def nmae(self, coefficients: NDArray[np.complex128]) -> float:
        """Return the NMAE in percent of waves ``(n_waves,)`` in e/bohr^3."""
        missed = coefficients - self.waves.components[0]
        return 100 * float(
            np.abs(waves_on_grid(self.waves, missed, self._shape)).sum() / self._norm
        )

    def coulomb(self, coefficients: NDArray[np.complex128]) -> float:
        """Return (d|d)/2 of the error d in Hartree per cell."""
        missed = np.abs(coefficients - self.waves.components[0]) ** 2
        return float(self._weights @ missed)

    def added(self, start: ScfStart, coefficients: NDArray[np.complex128]) -> ScfStart:
        """Return a record with the errors of its density filled in."""
        return replace(
            start,
            nmae_percent=self.nmae(coefficients),
            coulomb_error_ha=self.coulomb(coefficients),
        )


def check_names(names: Mapping[str, object]) -> None:
    """Refuse densities whose name has a meaning in the records.

    Raises
    ------
    SettingsError
        If a density is named ``"default"`` or ``"exact"``.
    """
    taken = {"default", "exact"} & set(names)
    if taken:
        raise SettingsError(f"densities are named {sorted(taken)}; these names have a meaning")


def seed_makers(
    densities: Mapping[str, GivenDensity], make: Callable[[StartDensity], S]
) -> dict[str, Callable[[], S]]:
    """Return, for each density, what makes its seed when it is called.

    Parameters
    ----------
    densities
        Name → density to start from, or why there is none.
    make
        Makes a seed of a density.
    """
    return {
        name: lambda given=given: make(made_density(given))  # type: ignore[misc]
        for name, given in densities.items()
    }


def compared_starts(
    calculation: Calculation[R, S],
    default: Corrected[R, Any],
    seeds: Mapping[str, Callable[[], S]],
    errors: StartErrors,
    waves_of: Callable[[S], EspressoWaves],
) -> list[ScfStart]:
    """Converge a crystal from each seed, and record the default calculation beside them.

    Parameters
    ----------
    calculation
        What to compute.
    default
        The calculation from the program's own guess. Where it needed other settings, all others
        have them from the beginning, so that what failed before is no saving and is not counted.
    seeds
        Name → what makes a seed, or raises CalculationError.
    errors
        Measure against the converged density.
    waves_of
        Gives the density of a seed.

    Returns
    -------
    list of ScfStart
        ``"default"`` first, then `seeds` in their order. What they call Fock builds are
        applications of the Hamiltonian to orbitals.
    """
    reference = default.result
    starts = [replace(_default_start(reference), correction=default.words)]
    for name, make_seed in seeds.items():
        run = run_seeded(calculation, make_seed, default=reference)
        start = replace(_seeded_start(name, run, reference), correction=default.words)
        if run.seed is not None:
            waves = waves_of(run.seed)
            if np.array_equal(waves.indices, errors.waves.indices):
                start = errors.added(start, waves.components[0])
        starts.append(start)
    return starts


def starts_alone(
    calculation: Calculation[R, S],
    seeds: Mapping[str, Callable[[], S]],
    finish: Callable[[R], Corrected[R, Any]],
) -> list[ScfStart]:
    """Converge a crystal from each seed, without anything to compare with.

    Parameters
    ----------
    calculation
        What to compute.
    seeds
        Name → what makes a seed, or raises CalculationError.
    finish
        Takes the calculation that counts; tries again what did not converge from the program's own
        guess, or raises CalculationError. What failed is counted.
    """
    starts = []
    for name, make_seed in seeds.items():
        run = run_seeded(calculation, make_seed)
        done = finish(run.result)
        start = _seeded_start(name, replace(run, result=done.result), None, failed=done.failed)
        starts.append(replace(start, correction=done.words))
    return starts


def _default_start(run: ScfRun) -> ScfStart:
    return ScfStart(
        start="default",
        seed_used=False,
        fallback_reason=None,
        converged=run.converged,
        iterations=run.iterations,
        fock_builds=run.hamiltonian_calls,
        energy_ha=run.energy_ha,
        energy_ev=run.energy_ha * HARTREE_TO_EV,
        cpu_s=run.cpu_s,
        wall_s=run.wall_s,
        energy_difference_ha=0.0,
        energies_ha=run.energies_ha,
        moment=run.moment,
    )


def _seeded_start(
    name: str, seeded: SeededRun[R, S], default: ScfRun | None, *, failed: Sequence[R] = ()
) -> ScfStart:
    """Record a seeded run; what a discarded attempt and other failed runs cost is added."""
    runs = [*failed, seeded.result]
    if seeded.fallback_reason is not None and seeded.attempt is not None:
        runs.insert(0, seeded.attempt)
    result, effort = seeded.result, seeded.seed_effort
    seed_cpu_s = seeded.seed_cpu_s + effort.cpu_s
    return ScfStart(
        start=name,
        seed_used=seeded.fallback_reason is None,
        fallback_reason=seeded.fallback_reason,
        converged=result.converged,
        iterations=effort.iterations + sum(run.iterations for run in runs),
        fock_builds=effort.hamiltonian_calls + sum(run.hamiltonian_calls for run in runs),
        energy_ha=result.energy_ha,
        energy_ev=result.energy_ha * HARTREE_TO_EV,
        cpu_s=sum(run.cpu_s for run in runs) + seed_cpu_s,
        wall_s=sum(run.wall_s for run in runs) + seeded.seed_wall_s,
        seed_cpu_s=seed_cpu_s,
        energy_difference_ha=None if default is None else result.energy_ha - default.energy_ha,
        energies_ha=tuple(energy for run in runs for energy in run.energies_ha),
        moment=result.moment,
        force_difference_ev_ang=_force_difference(result, default),
    )


def _force_difference(run: ScfRun, default: ScfRun | None) -> float | None:
    if default is None or run is default or run.forces is None or default.forces is None:
        return None
    return float(np.abs(run.forces - default.forces).max())
