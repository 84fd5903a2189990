"""Start ``pw.x`` from a density, audited, with a way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.espresso.files import SeedFiles
from scdp_flows.dft.espresso.scf import PwRun, run_scf
from scdp_flows.dft.plane_waves.seed import Calculation, check_spin, seed_waves
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["PwCalculation", "check_seedable", "seed_files"]


def check_seedable(crystal: Crystal, settings: EspressoSettings, *, with_spin: bool) -> None:
    """Refuse what a density alone cannot start.

    Raises
    ------
    CalculationError
        For two spins without a spin density, and for projector-augmented waves.
    """
    check_spin(settings, with_spin=with_spin)
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

    Raises
    ------
    CalculationError
        If the density is not of this cell, does not hold about the right number of electrons, or
        cannot start such a calculation.
    """
    check_seedable(crystal, settings, with_spin=isinstance(density, tuple))
    return SeedFiles(seed_waves(crystal, settings, density, symmetrise=symmetrise))


@dataclass(frozen=True)
class PwCalculation(Calculation[PwRun, SeedFiles]):
    """One crystal as ``pw.x`` computes it."""

    crystal: Crystal
    """What to compute."""
    settings: EspressoSettings
    """How."""
    diago_thr_init: float | None = None
    """Threshold of the first diagonalisation of seeded calculations."""

    def run(self, seed: SeedFiles | None = None) -> PwRun:
        """Converge from a seed, or from the program's own guess."""
        threshold = None if seed is None else self.diago_thr_init
        return run_scf(self.crystal, self.settings, seed, diago_thr_init=threshold)

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
