"""Offer PySCF behind the interface of all DFT codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.pyscf.inputs import PyscfSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scdp_flows.dft.base import GivenDensity, Label, Outcome, ScfStart
    from scdp_flows.dft.pyscf.compare import Comparison
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["PyscfCode"]

T = TypeVar("T")


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

    def label(self, structure: AtomicStructure, fit_basis: BasisSet | None = None) -> Label:
        """Label one molecule; see `DftCode.label`."""
        from scdp_flows.dft.pyscf.label import label_structure

        return label_structure(structure, self.settings, fit_basis)

    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a molecule from all starts; see `DftCode.seeded_comparison`."""
        from scdp_flows.dft.pyscf.compare import seeded_comparison

        return seeded_comparison(structure, self.settings, densities, self._comparison())

    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a molecule from the given densities alone."""
        from scdp_flows.dft.pyscf.compare import seeded_starts

        return seeded_starts(structure, self.settings, densities, self._comparison())

    def _run_many(
        self,
        function: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        n_processes: int | None,
    ) -> Iterator[Outcome[T]]:
        from scdp_flows.dft.pyscf.pool import run_many

        return run_many(function, arguments, n_processes=n_processes)

    def _comparison(self) -> Comparison:
        from scdp_flows.dft.pyscf.compare import Comparison

        return Comparison(
            conv_tol_ha=self.seed_conv_tol_ha,
            grid_level=self.seed_grid_level,
            forces=self.seed_forces,
        )
