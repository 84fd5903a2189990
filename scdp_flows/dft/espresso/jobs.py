"""Offer Quantum ESPRESSO behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scdp_flows.dft.plane_waves.jobs import PlaneWaveCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scdp_flows.dft.base import GivenDensity, Label, ScfStart
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["EspressoCode"]


@dataclass(frozen=True)
class EspressoCode(PlaneWaveCode):
    """Compute crystals with Quantum ESPRESSO's ``pw.x``."""

    settings: EspressoSettings
    """Pseudopotentials, cut-offs, k-points, thresholds."""
    seed_diago_thr_init: float | None = 1e-7
    """Threshold of the first diagonalisation where a density is given; that of the program (1e-5)
    when None. With conv_thr_ry = 1e-9 the error of the first orbitals is otherwise larger than that
    of a good density."""
    paw_bootstrap: bool = False
    """Whether the occupancies inside the spheres of projector-augmented waves are found by a
    preliminary cycle from the given density; such starts are refused otherwise. It costs two short
    runs, which are counted, and rarely pays."""

    def label_crystal(
        self, structure: AtomicStructure, fit_to: tuple[AtomicReference, BasisSet] | None
    ) -> Label:
        """Label one crystal; see `PlaneWaveCode.label_crystal`."""
        from scdp_flows.dft.espresso.label import label_structure

        return label_structure(structure, self.settings, fit_to)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from all starts; see `DftCode.seeded_comparison`."""
        from scdp_flows.dft.espresso.compare import seeded_comparison

        return seeded_comparison(structure, self.settings, densities, **self._how())

    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from the given densities alone."""
        from scdp_flows.dft.espresso.compare import seeded_starts

        return seeded_starts(structure, self.settings, densities, **self._how())

    def _how(self) -> dict[str, Any]:
        return {"diago_thr_init": self.seed_diago_thr_init, "paw_bootstrap": self.paw_bootstrap}
