"""What every DFT code gives and takes, without naming one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, Union

from monty.json import MSONable

from scdp_flows.errors import CalculationError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scdp_flows.density import ChargeDensity
    from scdp_flows.errors import ScdpFlowsError
    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "DftCode",
    "Fit",
    "FitInfo",
    "GivenDensity",
    "Label",
    "NoDensity",
    "Outcome",
    "ScfInfo",
    "ScfStart",
    "SpinDensities",
    "StartDensity",
    "made_density",
]

T = TypeVar("T")


class SpinDensities(NamedTuple):
    """The densities that an open shell starts from."""

    total: OrbitalDensity
    """Both spins together."""
    spin: OrbitalDensity
    """Spin up less spin down."""


StartDensity = Union["OrbitalDensity", SpinDensities]
"""What a calculation can start from; open shells need both densities."""


class NoDensity(NamedTuple):
    """Stands for a density that could not be made: such a start falls back to the code's own."""

    reason: str
    """Why not, for the record."""


GivenDensity = Union["OrbitalDensity", SpinDensities, NoDensity]
"""What is given for a start: a density, or why there is none."""


def made_density(given: GivenDensity) -> StartDensity:
    """Return a density that is there.

    Raises
    ------
    CalculationError
        The reason if there is none.
    """
    if isinstance(given, NoDensity):
        raise CalculationError(given.reason)
    return given


@dataclass(frozen=True)
class ScfInfo:
    """How the self-consistent calculation of a label went."""

    energy_ev: float
    """Total energy, eV."""
    iterations: int
    """SCF cycles."""
    fock_builds: int
    """Fock matrices built."""
    n_orbitals: int
    """Basis functions of the orbitals."""
    cpu_s: float
    """Processor time of the calculation alone, s."""
    wall_s: float
    """Elapsed time of the calculation alone, s."""
    conv_tol_ha: float
    """Energy threshold of convergence, Hartree."""
    grid_level: int | None = None
    """Level of the integration grid, where the code has one."""
    correction: str | None = None
    """What was changed to make the calculation converge, and why; None if nothing."""


@dataclass(frozen=True)
class FitInfo:
    """How well Gaussian shells hold a density."""

    basis: str
    """Name of the basis of the difference to the atoms."""
    n_functions: int
    """Functions of the difference."""
    coulomb_error_ha: float
    """Electrostatic self-energy of what the fit misses, (d|d)/2, Hartree."""
    n_electrons: float
    """Integral of the fit; held at the electron count."""
    nmae_percent: float | None = None
    """Error on the label's grid, 100 * sum|fit - label| / sum|label|; None if not computed."""
    spin_coulomb_error_ha: float | None = None
    """(d|d)/2 of what the fit of the spin density misses, Hartree; None for closed shells."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted density: superposed neutral atoms plus a difference without charge.

    In an ion the difference integrates to minus the ion's charge.
    """

    reference: OrbitalDensity
    """Superposition of spherical neutral atoms."""
    difference: OrbitalDensity
    """What was fitted: the density less the reference."""
    info: FitInfo
    """Its size and error."""
    spin: OrbitalDensity | None = None
    """Spin density, up less down, in the shells of the difference; None for closed shells."""

    @property
    def density(self) -> OrbitalDensity:
        """The total density."""
        return self.reference + self.difference


@dataclass(frozen=True, eq=False)
class Label:
    """What a DFT calculation says about one structure."""

    density: ChargeDensity
    """On a uniform grid, as computed: never rescaled."""
    scf: ScfInfo
    """How the calculation went."""
    fit: Fit | None
    """The same density in Gaussian shells; None if no basis was given."""
    n_electrons: float
    """Electrons the density should hold."""
    integral_error: float
    """Integral on the grid less the electron count."""
    cpu_s: float
    """Processor time of everything, s."""
    wall_s: float
    """Elapsed time of everything, s."""


@dataclass(frozen=True)
class ScfStart:
    """One self-consistent calculation from one starting density; see the schema of seeding."""

    start: str
    """``"default"``, ``"exact"`` or the name given to a density."""
    seed_used: bool
    """Whether the result comes from the given density."""
    fallback_reason: str | None
    """Why it comes from the code's own guess; None if it does not."""
    converged: bool
    """Whether the thresholds were met."""
    iterations: int
    """SCF cycles, those of a discarded seeded attempt included."""
    fock_builds: int
    """Fock matrices built, the seed's and those of a discarded attempt included."""
    energy_ha: float
    """Converged total energy, Hartree."""
    energy_ev: float
    """The same in eV."""
    cpu_s: float
    """Processor time, seed included, s."""
    wall_s: float
    """Elapsed time, seed included, s."""
    seed_cpu_s: float = 0.0
    """Processor time of turning the density into a start, s; a prediction's is not known here."""
    energy_difference_ha: float | None = None
    """Energy less that of the default start, Hartree; None if that was not run."""
    nmae_percent: float | None = None
    """Error of the starting density against the converged one."""
    nmae_dm0_percent: float | None = None
    """The same after one diagonalisation."""
    coulomb_error_ha: float | None = None
    """(d|d)/2 of the starting density's error d, Hartree."""
    gradient_norms: tuple[float, ...] = ()
    """Orbital gradient norm after each cycle, Hartree."""
    energies_ha: tuple[float, ...] = ()
    """Total energy after each cycle, Hartree."""
    fock_cpu_s: float | None = None
    """Processor time of one Fock build, s; None where the code does not tell."""
    moment: float | None = None
    """Magnetic moment of the converged state, Bohr magnetons; None for closed shells."""
    force_difference_ev_ang: float | None = None
    """Largest difference of a force component to that of the default start, eV/Å."""
    predictor: str | None = None
    """Who made the density; filled in by the caller."""
    model_id: str | None = None
    """Which model made it; filled in by the caller."""
    correction: str | None = None
    """What was changed so that the calculation converges; None if nothing was."""


@dataclass(frozen=True, eq=False)
class Outcome(Generic[T]):
    """What became of one structure of a batch: a value, or else the reason why not."""

    index: int
    """Position in the batch."""
    value: T | None
    """The result; None if it failed."""
    error: ScdpFlowsError | None = None
    """Why it failed; None if it did not."""


@dataclass(frozen=True)
class DftCode(MSONable, ABC):
    """A DFT code with its settings: a small value that survives JSON and decodes without the code.

    Makers hold one in a field; no job names a concrete code.
    """

    @abstractmethod
    def kind(self) -> DensityKind:
        """Return which density the settings produce."""

    @abstractmethod
    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings."""

    @abstractmethod
    def atomic_reference(self, elements: Iterable[int]) -> AtomicReference:
        """Return the spherical atoms of this kind for some atomic numbers."""

    @abstractmethod
    def label(self, structure: AtomicStructure, fit_basis: BasisSet | None = None) -> Label:
        """Label one structure.

        Parameters
        ----------
        structure
            What to compute.
        fit_basis
            Basis of the fit; None leaves the fit out.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        CalculationError
            If it does not converge.
        """

    @abstractmethod
    def seeded_comparison(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a structure from the code's own guess, each density, and the exact one.

        Parameters
        ----------
        structure
            What to compute.
        densities
            Name → starting density, or why there is none.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        CalculationError
            If it does not converge from the code's own guess.
        """

    @abstractmethod
    def seeded_only(
        self, structure: AtomicStructure, densities: Mapping[str, GivenDensity]
    ) -> list[ScfStart]:
        """Converge a structure from the given densities and nothing else, as in daily work.

        The code's own guess is computed only where a start falls back to it.

        Parameters
        ----------
        structure, densities
            As in :meth:`seeded_comparison`.

        Raises
        ------
        StructureError
            If the structure cannot be computed.
        """

    @abstractmethod
    def _run_many(
        self,
        function: Callable[..., T],
        arguments: Sequence[tuple[Any, ...]],
        *,
        n_processes: int | None,
    ) -> Iterator[Outcome[T]]:
        """Call a method for many structures at a time, as the code is best run."""

    def label_many(
        self,
        structures: Sequence[AtomicStructure],
        fit_basis: BasisSet | None = None,
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[Label]]:
        """Label structures in parallel, yielding each as soon as it is done, in any order.

        Parameters
        ----------
        structures
            What to compute.
        fit_basis
            Basis of the fit; None leaves the fit out.
        n_processes
            How many at a time; all cores when None.
        """
        tasks = [(structure, fit_basis) for structure in structures]
        yield from self._run_many(self.label, tasks, n_processes=n_processes)

    def compare_starts_many(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, GivenDensity]],
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[list[ScfStart]]]:
        """Compare starts for structures in parallel, yielding each as soon as it is done.

        Parameters
        ----------
        structures
            What to compute.
        densities
            For each structure, name → starting density, or why there is none.
        n_processes
            How many at a time; all cores when None.

        Raises
        ------
        SettingsError
            If there are not as many mappings as structures.
        """
        tasks = _pairs(structures, densities)
        yield from self._run_many(self.seeded_comparison, tasks, n_processes=n_processes)

    def seeded_only_many(
        self,
        structures: Sequence[AtomicStructure],
        densities: Sequence[Mapping[str, GivenDensity]],
        *,
        n_processes: int | None = None,
    ) -> Iterator[Outcome[list[ScfStart]]]:
        """Converge structures by :meth:`seeded_only`; otherwise as :meth:`compare_starts_many`."""
        tasks = _pairs(structures, densities)
        yield from self._run_many(self.seeded_only, tasks, n_processes=n_processes)


def _pairs(
    structures: Sequence[AtomicStructure], densities: Sequence[Mapping[str, GivenDensity]]
) -> list[tuple[AtomicStructure, dict[str, GivenDensity]]]:
    if len(structures) != len(densities):
        raise SettingsError(
            f"{len(structures)} structures but {len(densities)} mappings of densities; give "
            "one for each"
        )
    return [(one, dict(given)) for one, given in zip(structures, densities, strict=True)]
