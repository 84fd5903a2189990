"""Start ``pw.x`` from a density, audited, with a way back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.espresso.files import SeedFiles
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.espresso.symmetry import space_group, symmetrised
from scdp_flows.dft.espresso.wave_list import places_of, reciprocal_vectors, wave_list
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import EspressoWaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.dft.espresso.structure import Crystal
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["SeededRun", "check_seedable", "run_seeded", "seed_files"]

_LARGEST_EXCESS = 0.05
_SAME_CELL = 1e-6
_SAME_ENERGY_HA = 1e-7
_SAME_MOMENT = 0.05


@dataclass(frozen=True, eq=False)
class SeededRun:
    """A calculation that started from a density, or fell back to the program's own guess."""

    result: PwRun
    """The calculation that counts."""
    attempt: PwRun | None
    """The seeded calculation, also if it was discarded; None if the seed failed before it."""
    fallback_reason: str | None
    """Why the seeded calculation does not count; None if it does."""
    seed: SeedFiles | None
    """What it started from; None if the seed failed."""
    seed_cpu_s: float
    """Processor time of making the seed, s."""
    seed_wall_s: float
    """Elapsed time of making the seed, s."""


def check_seedable(crystal: Crystal, settings: EspressoSettings, *, with_spin: bool) -> None:
    """Refuse what a density alone cannot start.

    Raises
    ------
    CalculationError
        For two spins without a spin density, and for projector-augmented waves.
    """
    if settings.spin == "unrestricted" and not with_spin:
        raise CalculationError(
            "calculations with two spins are not seeded by a total density: without spin density "
            "they may lead to another state; the program's own guess is used"
        )
    augmented = [
        pseudo.name
        for pseudo in settings.all_pseudopotentials(crystal.symbols)
        if pseudo.kind == "PAW"
    ]
    if augmented:
        raise CalculationError(
            f"projector-augmented waves ({', '.join(augmented)}) need the occupancies inside the "
            "spheres (paw.txt) beside the density, and starts with those of free atoms take longer "
            "than the default; the program's own guess is used"
        )


def seed_files(
    crystal: Crystal,
    settings: EspressoSettings,
    density: StartDensity,
    *,
    symmetrise: bool = True,
) -> SeedFiles:
    """Turn a density into what ``pw.x`` reads.

    The coefficients are exact on the program's own list of waves. The constant one is set to the
    electron count; a prediction is off by some 1e-6 electrons.

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
        cannot start such a calculation.
    """
    both = density if isinstance(density, SpinDensities) else (density,)
    check_seedable(crystal, settings, with_spin=len(both) > 1)
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
    return SeedFiles(waves)


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
    crystal: Crystal,
    settings: EspressoSettings,
    make_seed: Callable[[], SeedFiles],
    *,
    default: PwRun | None = None,
    diago_thr_init: float | None = None,
) -> SeededRun:
    """Converge a crystal from a seed; fall back to the program's own guess if that goes wrong.

    Parameters
    ----------
    crystal, settings
        What to compute, and how.
    make_seed
        Gives the seed, or raises CalculationError.
    default
        The calculation from the program's own guess, if known: the seeded one must end at the same
        energy and moment. It is run only if it is needed.
    diago_thr_init
        Threshold of the first diagonalisation of the seeded calculation.
    """
    cpu, wall = time.thread_time(), time.perf_counter()
    seed = reason = attempt = None
    try:
        seed = make_seed()
    except CalculationError as error:
        reason = str(error)
    seed_cpu, seed_wall = time.thread_time() - cpu, time.perf_counter() - wall
    if seed is not None:
        attempt = run_scf(crystal, settings, seed, diago_thr_init=diago_thr_init)
        reason = _why_not(attempt, seed) or _other_state(attempt, default)
    if attempt is None or reason is not None:
        result = default or run_scf(crystal, settings)
    else:
        result = attempt
    return SeededRun(result, attempt, reason, seed, seed_cpu, seed_wall)


def _why_not(attempt: PwRun, seed: SeedFiles) -> str | None:
    """Say why a seeded calculation cannot be accepted."""
    output = attempt.output
    if output.message is not None:
        return f"the seeded calculation stopped: {output.message}"
    if not output.density_was_read:
        return "pw.x did not read the density"
    if not output.converged or attempt.final is None:
        return f"the seeded calculation did not converge in {output.iterations} cycles"
    if output.starting_charge is not None:
        return f"pw.x found {output.starting_charge} electrons in the density and rescaled it"
    # The program writes its own list at the end, and has read the seed as if it were in this order.
    if not np.array_equal(attempt.final.waves.indices, seed.waves.indices):
        return "the waves of the seed were not in the order of pw.x"
    return None


def _other_state(attempt: PwRun, default: PwRun | None) -> str | None:
    """Say in what a seeded calculation ended differently."""
    if default is None or not default.output.converged:
        return None
    above = attempt.energy_ha - default.energy_ha
    if above > _SAME_ENERGY_HA:
        return f"the seeded calculation converged {above:.2e} Ha above the unseeded one"
    moments = attempt.output.magnetization or 0.0, default.output.magnetization or 0.0
    if abs(abs(moments[0]) - abs(moments[1])) > _SAME_MOMENT:
        return f"the seeded calculation has the moment {moments[0]}, the unseeded {moments[1]}"
    return None
