"""Start ``pw.x`` from a density, audited, with a way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.espresso.files import SeedFiles
from scdp_flows.dft.espresso.scf import PwRun, run_cycles, run_scf
from scdp_flows.dft.plane_waves.seed import Calculation, Effort, check_spin, seed_waves
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["PwCalculation", "augmented", "bootstrapped", "check_seedable", "seed_files"]


def augmented(crystal: Crystal, settings: EspressoSettings) -> list[str]:
    """Return the pseudopotentials of projector-augmented waves."""
    files = settings.all_pseudopotentials(crystal.symbols)
    return [pseudo.name for pseudo in files if pseudo.kind == "PAW"]


def check_seedable(crystal: Crystal, settings: EspressoSettings, *, with_spin: bool) -> None:
    """Refuse what a density alone cannot start.

    Raises
    ------
    CalculationError
        For two spins without a spin density, and for projector-augmented waves.
    """
    check_spin(settings, with_spin=with_spin)
    names = augmented(crystal, settings)
    if names:
        raise CalculationError(
            f"projector-augmented waves ({', '.join(names)}) need the occupancies inside the "
            "spheres (paw.txt) beside the density, and starts with those of free atoms take longer "
            "than the default; the program's own guess is used, unless paw_bootstrap is set"
        )


def bootstrapped(crystal: Crystal, settings: EspressoSettings, seed: SeedFiles) -> SeedFiles:
    """Find the occupancies inside the spheres that go with a density.

    A cycle from the density and the occupancies of free atoms gives better ones; the density is put
    back. Both runs are counted in the effort of the seed.

    Parameters
    ----------
    crystal, settings
        What will be computed, and how.
    seed
        The density.

    Raises
    ------
    CalculationError
        If the program did not write them.
    """
    atoms = run_cycles(crystal, settings, 0)
    once = run_cycles(crystal, settings, 1, seed._replace(paw=atoms.paw))
    if once.paw is None:
        raise CalculationError("pw.x wrote no occupancies (paw.txt) of the given density")
    total = Effort(
        atoms.effort.iterations + once.effort.iterations,
        atoms.effort.hamiltonian_calls + once.effort.hamiltonian_calls,
        atoms.effort.cpu_s + once.effort.cpu_s,
    )
    return seed._replace(paw=once.paw, effort=total)


def seed_files(
    crystal: Crystal,
    settings: EspressoSettings,
    density: StartDensity,
    *,
    symmetrise: bool = True,
    paw_bootstrap: bool = False,
) -> SeedFiles:
    """Turn a density into what ``pw.x`` reads, exactly, on the program's own list of waves.

    Parameters
    ----------
    crystal
        What will be computed.
    settings
        How.
    density
        Of the crystal, with its spin density where there are two spins.
    symmetrise
        Whether to average over the space group of the crystal.
    paw_bootstrap
        Whether occupancies of projector-augmented waves are found by a preliminary cycle.

    Raises
    ------
    CalculationError
        If the density is not of this cell, does not hold about the right number of electrons, or
        cannot start such a calculation.
    """
    with_paw = paw_bootstrap and bool(augmented(crystal, settings))
    if not with_paw:
        check_seedable(crystal, settings, with_spin=isinstance(density, tuple))
    seed = SeedFiles(seed_waves(crystal, settings, density, symmetrise=symmetrise))
    return bootstrapped(crystal, settings, seed) if with_paw else seed


@dataclass(frozen=True)
class PwCalculation(Calculation[PwRun, SeedFiles]):
    """One crystal as ``pw.x`` computes it."""

    crystal: Crystal
    """What to compute."""
    settings: EspressoSettings
    """How."""
    diago_thr_init: float | None = None
    """Threshold of the first diagonalisation of seeded calculations."""
    keep_orbitals: Path | None = None
    """Folder to which the orbitals of a converged calculation are moved."""

    def run(self, seed: SeedFiles | None = None) -> PwRun:
        """Converge from a seed, or from the program's own guess."""
        threshold = None if seed is None else self.diago_thr_init
        return run_scf(
            self.crystal,
            self.settings,
            seed,
            diago_thr_init=threshold,
            keep_orbitals=self.keep_orbitals,
        )

    def effort_of(self, seed: SeedFiles) -> Effort:
        """Return what ``pw.x`` did for the occupancies of a seed."""
        return seed.effort

    def objection(self, attempt: PwRun, seed: SeedFiles) -> str | None:
        """Say why a converged attempt did not start from its seed; None if it did."""
        output = attempt.output
        if not output.density_was_read:
            return "pw.x did not read the density"
        if output.starting_charge is not None:
            return f"pw.x found {output.starting_charge} electrons in the density and rescaled it"
        # The program writes its own list at the end, and has read the seed as if in this order.
        if attempt.final is None or not np.array_equal(
            attempt.final.waves.indices, seed.waves.indices
        ):
            return "the waves of the seed were not in the order of pw.x"
        return None
