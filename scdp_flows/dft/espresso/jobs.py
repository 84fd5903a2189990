"""Offer Quantum ESPRESSO behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scdp_flows.dft.base import DftCode
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scdp_flows.dft.base import Label, Outcome, ScfStart, StartDensity
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["EspressoCode"]


@dataclass(frozen=True)
class EspressoCode(DftCode):
    """Compute crystals with Quantum ESPRESSO's ``pw.x``."""

    settings: EspressoSettings
    """Pseudopotentials, cut-offs, k-points, thresholds."""
    reference: dict[str, Any] | None = field(default=None, hash=False)
    """Spherical atoms, ``AtomicReference.to_dict()``, for pseudopotential files without an atomic
    density; None takes those of the files."""
    seed_diago_thr_init: float | None = 1e-7
    """Threshold of the first diagonalisation where a density is given; that of the program (1e-5)
    when None. With conv_thr_ry = 1e-9 the error of the first orbitals is otherwise larger than that
    of a good density."""

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
        from scdp_flows.dft.espresso.atoms import atomic_reference, given_reference

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
        from scdp_flows.dft.espresso.pool import run_many

        tasks = [(structure, fit_basis) for structure in structures]
        yield from run_many(self._label, tasks, n_processes=n_processes)

    def _label(self, structure: AtomicStructure, fit_basis: BasisSet | None) -> Label:
        from scdp_flows.dft.espresso.label import label_structure
        from scdp_flows.io.structures import as_arrays

        reference = None
        if fit_basis is not None:
            reference = self.atomic_reference(as_arrays(structure)[0].tolist())
        return label_structure(structure, self.settings, reference, fit_basis)

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
        from scdp_flows.dft.espresso.pool import run_many

        if len(structures) != len(densities):
            raise SettingsError(
                f"{len(structures)} structures but {len(densities)} mappings of densities; give "
                "one for each"
            )
        tasks = list(zip(structures, densities, strict=True))
        yield from run_many(self.seeded_comparison, tasks, n_processes=n_processes)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, StartDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from the program's own guess, each density, and the exact one.

        Parameters
        ----------
        structure
            The crystal.
        densities
            Name → starting density.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        CalculationError
            If it does not converge from the program's own guess.
        """
        from scdp_flows.dft.espresso.compare import seeded_comparison

        return seeded_comparison(
            structure, self.settings, densities, diago_thr_init=self.seed_diago_thr_init
        )
