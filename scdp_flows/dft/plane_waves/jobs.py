"""Offer a plane-wave code behind the interface of all DFT codes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scdp_flows.dft.base import DftCode
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scdp_flows.dft.base import Label, Outcome, ScfStart, StartDensity
    from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PlaneWaveCode"]


@dataclass(frozen=True)
class PlaneWaveCode(DftCode):
    """Compute crystals with a plane-wave code; the codes fill in one label and one comparison."""

    settings: PlaneWaveSettings
    """Pseudopotentials, cut-offs, k-points, thresholds."""
    reference: dict[str, Any] | None = field(default=None, hash=False)
    """Spherical atoms, ``AtomicReference.to_dict()``, for pseudopotential files without an atomic
    density; None takes those of the files."""

    @abstractmethod
    def label(
        self, structure: AtomicStructure, fit_to: tuple[AtomicReference, BasisSet] | None
    ) -> Label:
        """Label one crystal.

        Parameters
        ----------
        structure
            The crystal.
        fit_to
            Spherical atoms and the basis of the difference to them; None leaves the fit out.
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

    def label_many(
        self,
        structures: Sequence[AtomicStructure],
        fit_basis: BasisSet | None = None,
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[Label]]:
        """Label crystals, yielding each as soon as it is done, in any order.

        Parameters
        ----------
        structures
            The crystals.
        fit_basis
            Basis of the fit; None leaves the fit out.
        n_processes
            How many at a time; all cores when None.
        """
        from scdp_flows.dft.plane_waves.pool import run_many

        tasks = [(structure, fit_basis) for structure in structures]
        yield from run_many(self._label_with_atoms, tasks, n_processes=n_processes)

    def _label_with_atoms(self, structure: AtomicStructure, basis: BasisSet | None) -> Label:
        from scdp_flows.io.structures import as_arrays

        if basis is None:
            return self.label(structure, None)
        reference = self.atomic_reference(as_arrays(structure)[0].tolist())
        return self.label(structure, (reference, basis))

    def compare_starts_many(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, StartDensity]],
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[list[ScfStart]]]:
        """Compare starts for crystals, yielding each as soon as it is done, in any order.

        Parameters
        ----------
        structures
            The crystals.
        densities
            For each crystal, name → starting density.
        n_processes
            How many at a time; all cores when None.

        Raises
        ------
        SettingsError
            If there are not as many mappings as crystals.
        """
        from scdp_flows.dft.plane_waves.pool import run_many

        if len(structures) != len(densities):
            raise SettingsError(
                f"{len(structures)} structures but {len(densities)} mappings of densities; give "
                "one for each"
            )
        tasks = list(zip(structures, densities, strict=True))
        yield from run_many(self.seeded_comparison, tasks, n_processes=n_processes)
