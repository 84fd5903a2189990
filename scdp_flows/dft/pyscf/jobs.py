"""Offer PySCF behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from scdp_flows.dft.base import Label, Outcome, ScfStart, StartDensity
    from scdp_flows.dft.pyscf.compare import Comparison
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PyscfCode"]


@dataclass(frozen=True)
class PyscfCode(DftCode):
    """Compute molecules with PySCF.

    Examples
    --------
    >>> code = PyscfCode(PyscfSettings(basis="gth-dzvp"))
    >>> PyscfCode.from_dict(code.as_dict()) == code
    True
    """

    settings: PyscfSettings = field(default_factory=PyscfSettings)
    """Functional, pseudopotential, basis, grids, thresholds."""
    seed_conv_tol_ha: float = 1e-9
    """Convergence threshold where starts are compared, Hartree."""
    seed_grid_level: int = 0
    """Grid on which a density becomes the first potential. Level 0 costs no iteration where the
    density is predicted; a density better than about 0.1 % deserves level 1."""
    seed_forces: bool = False
    """Whether forces are compared too, where starts are."""

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        return self.settings.kind()

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings of labels."""
        return self.settings.settings_hash()

    def atomic_reference(self, elements: Iterable[int]) -> AtomicReference:
        """Return the spherical atoms of this kind for some atomic numbers."""
        from scdp_flows.dft.pyscf.atoms import atomic_reference

        return atomic_reference(self.settings, elements)

    def label_many(
        self,
        structures: Sequence[AtomicStructure],
        fit_basis: BasisSet | None = None,
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[Label]]:
        """Label molecules in parallel, yielding each as soon as it is done, in any order.

        Parameters
        ----------
        structures
            The molecules.
        fit_basis
            Basis of the fit; None leaves the fit out.
        n_processes
            How many at a time; all cores when None.
        """
        from scdp_flows.dft.pyscf.label import label_from_document
        from scdp_flows.dft.pyscf.pool import run_many

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
        """Compare starts for molecules in parallel, yielding each as soon as it is done.

        Parameters
        ----------
        structures
            The molecules.
        densities
            For each molecule, name → starting density.
        n_processes
            How many at a time; all cores when None.

        Raises
        ------
        SettingsError
            If there are not as many mappings as molecules.
        """
        from scdp_flows.dft.pyscf.pool import run_many

        tasks = self._tasks(structures, densities)
        yield from run_many(PyscfCode.seeded_comparison, tasks, n_processes=n_processes)

    def seeded_only_many(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, StartDensity]],
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[list[ScfStart]]]:
        """Converge molecules from the given densities and nothing else, as in daily work.

        Parameters
        ----------
        structures
            The molecules.
        densities
            For each molecule, name → starting density.
        n_processes
            How many at a time; all cores when None.

        Raises
        ------
        SettingsError
            If there are not as many mappings as molecules.
        """
        from scdp_flows.dft.pyscf.pool import run_many

        tasks = self._tasks(structures, densities)
        yield from run_many(PyscfCode._seeded_only, tasks, n_processes=n_processes)

    def _tasks(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, StartDensity]],
    ) -> list[tuple[Any, ...]]:
        if len(structures) != len(densities):
            raise SettingsError(
                f"{len(structures)} structures but {len(densities)} mappings of densities; give "
                "one for each"
            )
        pairs = zip(structures, densities, strict=True)
        return [(self, structure, dict(given)) for structure, given in pairs]

    def _seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, StartDensity]
    ) -> list[ScfStart]:
        from scdp_flows.dft.pyscf.compare import seeded_starts

        return seeded_starts(structure, self.settings, densities, self._comparison())

    def _comparison(self) -> Comparison:
        from scdp_flows.dft.pyscf.compare import Comparison

        return Comparison(
            conv_tol_ha=self.seed_conv_tol_ha,
            grid_level=self.seed_grid_level,
            forces=self.seed_forces,
        )

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, StartDensity]
    ) -> list[ScfStart]:
        """Converge a molecule from PySCF's own guess, each density, and the exact one.

        Parameters
        ----------
        structure
            The molecule.
        densities
            Name → starting density.

        Raises
        ------
        StructureError
            If the molecule cannot be computed.
        CalculationError
            If it does not converge from PySCF's own guess.
        """
        from scdp_flows.dft.pyscf.compare import seeded_comparison

        return seeded_comparison(structure, self.settings, densities, self._comparison())
