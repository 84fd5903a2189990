"""Offer a plane-wave code behind the interface of all DFT codes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.base import DftCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scdp_flows.dft.base import Label, Outcome
    from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PlaneWaveCode"]

T = TypeVar("T")


@dataclass(frozen=True)
class PlaneWaveCode(DftCode):
    """Compute crystals with a plane-wave code; the codes fill in one label and one comparison."""

    settings: PlaneWaveSettings
    """Pseudopotentials, cut-offs, k-points, thresholds."""
    reference: dict[str, Any] | None = field(default=None, hash=False)
    """Spherical atoms, ``AtomicReference.to_dict()``, for pseudopotential files without an atomic
    density; None takes those of the files."""

    @abstractmethod
    def label_crystal(
        self, structure: AtomicStructure, fit_to: tuple[AtomicReference, BasisSet] | None
    ) -> Label:
        """Label one crystal.

        Parameters
        ----------
        structure
            The crystal.
        fit_to
            Spherical atoms and the basis of the difference to them; None leaves the fit out.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        CalculationError
            If it does not converge.
        """

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        return self.settings.kind()

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings of labels."""
        return self.settings.settings_hash()

    def atomic_reference(self, elements: Iterable[int]) -> AtomicReference:
        """Return the spherical atoms of this kind for some atomic numbers.

        Raises
        ------
        SettingsError
            If a pseudopotential holds no atomic density, and no atoms are given.
        """
        from scdp_flows.dft.plane_waves.atoms import atomic_reference, given_reference

        if self.reference is not None:
            return given_reference(self.reference, elements)
        return atomic_reference(self.settings, elements)

    def label(self, structure: AtomicStructure, fit_basis: BasisSet | None = None) -> Label:
        """Label one crystal, fitted relative to its own atoms; see `DftCode.label`."""
        from scdp_flows.dft.plane_waves.kpoint_mesh import warn_of_mesh
        from scdp_flows.io.structures import as_arrays

        if fit_basis is None:
            return self.label_crystal(structure, None)
        numbers, _, cell, _ = as_arrays(structure)
        if cell is not None:
            warn_of_mesh(cell, self.settings.kpoints, self.settings.kshift)
        reference = self.atomic_reference(numbers.tolist())
        return self.label_crystal(structure, (reference, fit_basis))

    def _run_many(
        self,
        function: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        n_processes: int | None,
    ) -> Iterator[Outcome[T]]:
        from scdp_flows.dft.plane_waves.pool import run_many

        return run_many(function, arguments, n_processes=n_processes)
