"""Offer PySCF with k-points behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scdp_flows.dft.base import Label, Outcome, ScfStart, StartDensity
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PyscfCrystalCode"]


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

    def label_many(
        self,
        structures: Sequence[AtomicStructure],
        fit_basis: BasisSet | None = None,
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[Label]]:
        """Label crystals in parallel, yielding each as soon as it is done, in any order.

        Parameters
        ----------
        structures
            The crystals.
        fit_basis
            Basis of the fit; None leaves the fit out.
        n_processes
            How many at a time; all cores when None.
        """
        from scdp_flows.dft.pyscf.pool import run_many
        from scdp_flows.dft.pyscf_crystals.label import label_from_document

        # A basis holds read-only mappings, which cannot be pickled; its document can.
        basis = None if fit_basis is None else fit_basis.to_dict()
        tasks = [(structure, self.settings, basis) for structure in structures]
        yield from run_many(label_from_document, tasks, n_processes=n_processes)

    def compare_starts_many(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, StartDensity]],
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[list[ScfStart]]]:
        """Compare starts for crystals in parallel, yielding each as soon as it is done.

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
        from scdp_flows.dft.pyscf.pool import run_many

        if len(structures) != len(densities):
            raise SettingsError(
                f"{len(structures)} structures but {len(densities)} mappings of densities; give "
                "one for each"
            )
        pairs = zip(structures, densities, strict=True)
        tasks = [(self, structure, dict(given)) for structure, given in pairs]
        yield from run_many(PyscfCrystalCode.seeded_comparison, tasks, n_processes=n_processes)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, StartDensity]
    ) -> list[ScfStart]:
        """Converge a crystal from PySCF's own guess, each density, and the exact one.

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
            If it does not converge from PySCF's own guess.
        """
        from scdp_flows.dft.pyscf_crystals.compare import seeded_comparison

        return seeded_comparison(
            structure, self.settings, densities, conv_tol_ha=self.seed_conv_tol_ha
        )
