"""Offer PySCF with k-points behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scdp_flows.dft.base import GivenDensity, Label, Outcome, ScfStart
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PyscfCrystalCode"]

T = TypeVar("T")


@dataclass(frozen=True)
class PyscfCrystalCode(DftCode):
    """Compute crystals with PySCF: k-points, GTH pseudopotentials, a uniform grid.

    Examples
    --------
    >>> code = PyscfCrystalCode(PyscfCrystalSettings(kpoints=(2, 2, 2)))
    >>> PyscfCrystalCode.from_dict(code.as_dict()) == code
    True
    """

    settings: PyscfCrystalSettings = field(default_factory=PyscfCrystalSettings)
    """Functional, pseudopotential, basis, k-points, grid, thresholds."""
    seed_conv_tol_ha: float = 1e-9
    """Convergence threshold where starts are compared, Hartree."""

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        return self.settings.kind()

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings of labels."""
        return self.settings.settings_hash()

    def atomic_reference(self, elements: Iterable[int]) -> AtomicReference:
        """Return the spherical atoms of this kind for some atomic numbers."""
        from scdp_flows.dft.pyscf_crystals.label import crystal_atoms

        return crystal_atoms(self.settings, elements)

    def label(self, structure: AtomicStructure, fit_basis: BasisSet | None = None) -> Label:
        """Label one crystal; see `DftCode.label`."""
        from scdp_flows.dft.plane_waves.kpoint_mesh import warn_of_mesh
        from scdp_flows.dft.pyscf_crystals.label import label_structure
        from scdp_flows.io.structures import as_arrays

        cell = as_arrays(structure)[2]
        if cell is not None:
            warn_of_mesh(cell, self.settings.kpoints)
        return label_structure(structure, self.settings, fit_basis)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from all starts; see `DftCode.seeded_comparison`."""
        from scdp_flows.dft.pyscf_crystals.compare import seeded_comparison

        return seeded_comparison(
            structure, self.settings, densities, conv_tol_ha=self.seed_conv_tol_ha
        )

    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from the given densities alone."""
        from scdp_flows.dft.pyscf_crystals.compare import seeded_starts

        return seeded_starts(structure, self.settings, densities, conv_tol_ha=self.seed_conv_tol_ha)

    def _run_many(
        self,
        function: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        n_processes: int | None,
    ) -> Iterator[Outcome[T]]:
        from scdp_flows.dft.pyscf.pool import run_many

        return run_many(function, arguments, n_processes=n_processes)
