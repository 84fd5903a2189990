"""Offer ABINIT behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scdp_flows.dft.plane_waves.jobs import PlaneWaveCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.base import GivenDensity, Label, ScfStart
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["AbinitCode"]


@dataclass(frozen=True)
class AbinitCode(PlaneWaveCode):
    """Compute crystals with ABINIT."""

    settings: AbinitSettings
    """Pseudopotentials, cut-offs, k-points, thresholds."""
    seed_tolwfr: float = 1e-5
    """Squared residual to which orbitals are converged for a given density, before the
    self-consistent part. Densities of below 0.1 % error are worth more; the converged one is always
    given 1e-8."""

    def label_crystal(
        self, structure: AtomicStructure, fit_to: tuple[AtomicReference, BasisSet] | None
    ) -> Label:
        """Label one crystal; see `PlaneWaveCode.label_crystal`."""
        from scdp_flows.dft.abinit.label import label_structure

        return label_structure(structure, self.settings, fit_to)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from all starts; see `DftCode.seeded_comparison`."""
        from scdp_flows.dft.abinit.compare import seeded_comparison

        return seeded_comparison(structure, self.settings, densities, seed_tolwfr=self.seed_tolwfr)

    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from the given densities alone."""
        from scdp_flows.dft.abinit.compare import seeded_starts

        return seeded_starts(structure, self.settings, densities, seed_tolwfr=self.seed_tolwfr)
