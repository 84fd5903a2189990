"""Turn a Gaussian density into the waves of a crystal, and start a calculation from it, audited."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.plane_waves.program import ScfRun
from scdp_flows.dft.plane_waves.symmetry import space_group, symmetrised
from scdp_flows.dft.plane_waves.wave_list import places_of, reciprocal_vectors, wave_list
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import EspressoWaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.dft.plane_waves.wave_list import WaveSettings
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Calculation", "Effort", "SeededRun", "check_spin", "run_seeded", "seed_waves"]

R = TypeVar("R", bound=ScfRun)
S = TypeVar("S")

_LARGEST_EXCESS = 0.05
# One seed at a time, since linear algebra has threads of its own, whose time is to be counted.
_ALONE = Lock()
_SAME_CELL = 1e-6
_SAME_ENERGY_HA = 1e-7
_SAME_MOMENT = 0.05


class Effort(NamedTuple):
    """Work of a program."""

    iterations: int = 0
    """SCF cycles."""
    hamiltonian_calls: int = 0
    """Applications of the Hamiltonian."""
    cpu_s: float = 0.0
    """Processor time, s."""


class Calculation(ABC, Generic[R, S]):
    """One crystal as one code computes it; S is what it starts from."""

    @abstractmethod
    def run(self, seed: S | None = None) -> R:
        """Converge from a seed, or from the program's own guess."""

    @abstractmethod
    def objection(self, attempt: R, seed: S) -> str | None:
        """Say why a converged attempt did not start from its seed; None if it did."""

    def effort_of(self, seed: S) -> Effort:  # noqa: ARG002
        """Return what a program had to do to make a seed; nothing by default."""
        return Effort()


@dataclass(frozen=True, eq=False)
class SeededRun(Generic[R, S]):
    """A calculation that started from a density, or fell back to the program's own guess."""

    result: R
    """The calculation that counts."""
    attempt: R | None
    """The seeded calculation, also if it was discarded; None if the seed failed before it."""
    fallback_reason: str | None
    """Why the seeded calculation does not count; None if it does."""
    seed: S | None
    """What it started from; None if the seed failed."""
    seed_cpu_s: float
    """Processor time of making the seed, s."""
    seed_wall_s: float
    """Elapsed time of making the seed, s."""
    seed_effort: Effort = field(default_factory=Effort)
    """What a program did for the seed; its processor time is not in `seed_cpu_s`."""


def check_spin(settings: WaveSettings, *, with_spin: bool) -> None:
    """Refuse to start two spins from a total density.

    Raises
    ------
    CalculationError
        If there is no spin density where one is needed.
    """
    if settings.spin == "unrestricted" and not with_spin:
        raise CalculationError(
            "calculations with two spins are not seeded by a total density: without spin density "
            "they may lead to another state; the program's own guess is used"
        )


def seed_waves(
    crystal: Crystal,
    settings: WaveSettings,
    density: StartDensity,
    *,
    symmetrise: bool = True,
) -> EspressoWaves:
    """Return the waves of a density.

    The coefficients are exact. The constant one is set to the electron count; a prediction is off
    by some 1e-6 electrons.

    Parameters
    ----------
    crystal, settings
        What will be computed, and how.
    density
        Of the crystal, with its spin density where there are two spins.
    symmetrise
        Whether to average over the space group of the crystal.

    Raises
    ------
    CalculationError
        If the density is not of this cell, does not hold about the right number of electrons, or
        lacks the spin density.
    """
    both = density if isinstance(density, SpinDensities) else (density,)
    check_spin(settings, with_spin=len(both) > 1)
    held = both[0].n_electrons()
    if not abs(held - crystal.n_electrons) <= _LARGEST_EXCESS * crystal.n_electrons:
        raise CalculationError(
            f"the starting density holds {held:.4f} electrons, the crystal {crystal.n_electrons:g};"
            " was it made for another pseudopotential, charge or crystal?"
        )
    indices = wave_list(crystal, settings)
    waves = EspressoWaves(settings.gamma_only, reciprocal_vectors(crystal.cell_bohr), indices, [])
    operations = space_group(crystal) if symmetrise else []
    for component in both[: settings.n_spins]:
        values = _coefficients(crystal, component, indices)
        waves.components.append(symmetrised(waves, values, operations) if operations else values)
    constant = (indices == 0).all(axis=1)
    waves.components[0][constant] = crystal.n_electrons / crystal.volume_bohr
    return waves


def _coefficients(
    crystal: Crystal, density: OrbitalDensity, indices: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return rho(G) in e/bohr^3; of a pair G and -G only one is computed."""
    from scdp_models.density.fourier import rho_g

    if density.cell is None or not all(density.pbc):
        raise CalculationError("the starting density is not periodic; this is a crystal")
    if not np.allclose(density.cell, crystal.cell, rtol=0, atol=_SAME_CELL):
        raise CalculationError(
            f"the starting density has the cell {density.cell.tolist()}, the crystal "
            f"{crystal.cell.tolist()}; predict for the very structure"
        )
    opposite = places_of(indices, -indices)
    own = (opposite < 0) | (np.arange(len(indices)) <= opposite)
    values = np.empty(len(indices), dtype=np.complex128)
    values[own] = rho_g(density, indices[own]) / crystal.volume_bohr
    values[~own] = values[opposite[~own]].conj()
    return values


def run_seeded(
    calculation: Calculation[R, S], make_seed: Callable[[], S], *, default: R | None = None
) -> SeededRun[R, S]:
    """Converge a crystal from a seed; fall back to the program's own guess if that goes wrong.

    Parameters
    ----------
    calculation
        What to compute.
    make_seed
        Gives the seed, or raises CalculationError.
    default
        The calculation from the program's own guess, if known: the seeded one must end at the same
        energy and moment. It is run only if it is needed.
    """
    seed = reason = attempt = None
    with _ALONE:
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            seed = make_seed()
        except CalculationError as error:
            reason = str(error)
        seed_cpu, seed_wall = time.process_time() - cpu, time.perf_counter() - wall
    effort = Effort()
    if seed is not None:
        effort = calculation.effort_of(seed)
        attempt = calculation.run(seed)
        reason = _failure(attempt) or calculation.objection(attempt, seed)
        reason = reason or _other_state(attempt, default)
    if attempt is not None and reason is None:
        return SeededRun(attempt, attempt, None, seed, seed_cpu, seed_wall, effort)
    result = default or calculation.run()
    return SeededRun(result, attempt, reason, seed, seed_cpu, seed_wall, effort)


def _failure(attempt: ScfRun) -> str | None:
    """Say why a seeded calculation has no result."""
    if attempt.message is not None:
        return f"the seeded calculation stopped: {attempt.message}"
    if not attempt.converged:
        return f"the seeded calculation did not converge in {attempt.iterations} cycles"
    return None


def _other_state(attempt: ScfRun, default: ScfRun | None) -> str | None:
    """Say in what a seeded calculation ended differently."""
    if default is None or not default.converged:
        return None
    above = attempt.energy_ha - default.energy_ha
    if above > _SAME_ENERGY_HA:
        return f"the seeded calculation converged {above:.2e} Ha above the unseeded one"
    moments = attempt.moment or 0.0, default.moment or 0.0
    if abs(abs(moments[0]) - abs(moments[1])) > _SAME_MOMENT:
        return f"the seeded calculation has the moment {moments[0]}, the unseeded {moments[1]}"
    return None
