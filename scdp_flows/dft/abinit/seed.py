"""Start ABINIT from a density, audited, with a way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.scf import AbinitRun, run_scf
from scdp_flows.dft.plane_waves.seed import Calculation
from scdp_flows.io.espresso_waves import EspressoWaves

if TYPE_CHECKING:
    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["AbinitCalculation"]


@dataclass(frozen=True)
class AbinitCalculation(Calculation[AbinitRun, EspressoWaves]):
    """One crystal as ABINIT computes it."""

    crystal: Crystal
    """What to compute."""
    settings: AbinitSettings
    """How."""
    seed_tolwfr: float = 1e-5
    """Squared residual to which orbitals are converged for a seed."""

    def run(self, seed: EspressoWaves | None = None) -> AbinitRun:
        """Converge from a seed, or from the program's own guess."""
        return run_scf(self.crystal, self.settings, seed, seed_tolwfr=self.seed_tolwfr)

    def objection(self, attempt: AbinitRun, seed: EspressoWaves) -> str | None:
        """Say why a converged attempt did not start from its seed; None if it did."""
        if not attempt.output.density_was_read:
            return "abinit did not read the density as it is"
        if attempt.density is None or len(seed.components) != self.settings.n_spins:
            return "the seed has not the spins of the calculation"
        return None
