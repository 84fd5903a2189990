"""Offer PySCF to ASE, each calculation started from what the ones before and a model tell."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ase.calculators.calculator import all_changes
from monty.json import MSONable
from pymatgen.core import Molecule

from scdp_flows.dft.path import PathCalculator
from scdp_flows.dft.pyscf.continuation import Continuation
from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings, check_policy
from scdp_flows.dft.pyscf.forces import forces_of
from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.scf import check_converged, run_scf
from scdp_flows.dft.pyscf.seed import SeededRun, run_seeded
from scdp_flows.errors import SettingsError, StructureError
from scdp_flows.schemas.relaxation import RelaxationStep
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from scdp_flows.dft.path import ElectronicState
    from scdp_flows.dft.pyscf.continuation_base import Start, StartPolicy
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_flows.kind import DensityKind
    from scdp_flows.predictors.base import Predictor
    from scdp_models.basis.shells import BasisSet

__all__ = ["PyscfCalculator", "PyscfRelaxation"]


@dataclass(frozen=True)
class PyscfRelaxation(MSONable):
    """Say how molecules are computed along a path of geometries.

    Raises
    ------
    SettingsError
        If a value is impossible.

    Examples
    --------
    >>> code = PyscfRelaxation(PyscfSettings(basis="gth-dzvp"), policy="previous_dm")
    >>> PyscfRelaxation.from_dict(code.as_dict()) == code
    True
    """

    settings: PyscfSettings = field(default_factory=PyscfSettings)
    """Functional, pseudopotential, basis, grids."""
    policy: StartPolicy = "auto"
    """What each calculation starts from."""
    conv_tol_ha: float = 1e-9
    """Convergence threshold of the energy, Hartree."""
    seed_grid_level: int = 0
    """Grid on which a density becomes the first potential."""
    history: int = 6
    """Most earlier geometries from which a correction is extrapolated."""
    check_every: int | None = None
    """Every so many geometries the energy is compared with that of an unseeded calculation."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("conv_tol_ha", "history", "check_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"{name} is {value}; expected a positive number")
        check_policy(self.policy)

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        return self.settings.kind()

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings, 16 hexadecimal digits."""
        text = json.dumps({"code": "pyscf", **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def needs_basis(self) -> bool:
        """Whether converged densities are fitted."""
        return self.policy in {"previous_deformation", "corrected_density"}

    @property
    def needs_predictor(self) -> bool:
        """Whether nothing can be started from without predictions."""
        return self.policy in {"prediction", "corrected_density", "corrected"}

    def calculator(
        self, predictor: Predictor | None = None, basis: BasisSet | None = None
    ) -> PyscfCalculator:
        """Return a calculator for one path.

        Parameters
        ----------
        predictor
            Predicts densities of the same kind.
        basis
            Shells of the fits of ``"previous_deformation"`` and ``"corrected_density"``.

        Raises
        ------
        KindMismatchError
            If the predictor is of another kind.
        SettingsError
            If the policy needs a predictor or a basis that is not given.
        """
        return PyscfCalculator(self, predictor, basis)


class _Computed(NamedTuple):
    """One converged geometry with what it took."""

    seeded: SeededRun
    start: Start
    reason: str | None
    default: ScfRun | None
    cpu_s: float
    wall_s: float


class PyscfCalculator(PathCalculator):
    """Give ASE energies (eV) and forces (eV/Å) of one molecule along a path of geometries.

    A start that fails is dropped, the calculation goes on from PySCF's own guess, and the history
    is forgotten. Charge and spin multiplicity are parameters or those of the atoms object, see
    :class:`scdp_flows.dft.path.PathCalculator`.

    Parameters
    ----------
    code
        How to compute and how to start.
    predictor
        Predicts densities; None: nothing is predicted.
    basis
        Shells of fits, for the policies that need one.

    Attributes
    ----------
    steps
        One record per geometry, in order.
    run
        The last calculation; None if it did not converge.
    """

    name = "pyscf"
    default_parameters = {"charge": None, "spin_multiplicity": None}  # noqa: RUF012 - as ASE's
    run: ScfRun | None

    def __init__(
        self,
        code: PyscfRelaxation,
        predictor: Predictor | None = None,
        basis: BasisSet | None = None,
    ) -> None:
        super().__init__(code, predictor)
        self.code = code
        path = PathSettings(code.policy, code.seed_grid_level, code.history)
        self._continuation = Continuation(code.settings, path, basis)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Compute the energy of a geometry, and its forces if asked for; called by ASE.

        Raises
        ------
        StructureError
            If the molecule cannot be computed.
        CalculationError
            If it does not converge.
        """
        super().calculate(atoms, properties, system_changes)
        if self.run is not None and properties and "forces" in properties:
            self.results["forces"] = self._forces(self.run)

    def _compute(self, atoms: Atoms, state: ElectronicState) -> None:
        computed = self._converge(_molecule(atoms, state))
        self.run = computed.seeded.result
        self.steps.append(self._record(computed))
        self.results = {"energy": self.run.energy_ha * HARTREE_TO_EV}

    def _forces(self, run: ScfRun) -> NDArray[np.float64]:
        """Return the forces of the last geometry in eV/Å and note them in its record."""
        cpu = time.process_time()
        forces = forces_of(run.mf)
        self.steps[-1] = self.steps[-1].updated(
            largest_force_ev_ang=float(np.linalg.norm(forces, axis=1).max()),
            gradient_cpu_s=time.process_time() - cpu,
        )
        return forces

    def _converge(self, structure: Molecule) -> _Computed:
        mol = build_molecule(structure, self.code.settings)
        default = self._unseeded(mol)
        cpu, wall = time.process_time(), time.perf_counter()
        needs_spin = self.code.settings.spin == "unrestricted"
        prediction, reason = self._predict(structure, needs_spin=needs_spin)
        geometry = Geometry(structure, mol, prediction)
        start = self._continuation.start(geometry)
        seeded = self._run(mol, start, default)
        if seeded.fallback_reason is not None:
            self._continuation.forget()
        check_converged(seeded.result, structure.formula, self.code.conv_tol_ha)
        self._continuation.learn(geometry, seeded.result)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if seeded.result is default:
            cpu, wall = cpu + default.cpu_s, wall + default.wall_s
        return _Computed(seeded, start, seeded.fallback_reason or reason, default, cpu, wall)

    def _run(self, mol: Any, start: Start, default: ScfRun | None) -> SeededRun:
        settings, tolerance = self.code.settings, self.code.conv_tol_ha
        if start.make_dm0 is None:
            run = default or run_scf(mol, settings, conv_tol_ha=tolerance)
            return SeededRun(run, None, None, None, 0.0, 0.0)
        return run_seeded(mol, settings, start.make_dm0, conv_tol_ha=tolerance, default=default)

    def _unseeded(self, mol: Any) -> ScfRun | None:
        """Converge from PySCF's own guess where that is to be compared with."""
        every = self.code.check_every
        if every is None or len(self.steps) % every:
            return None
        return run_scf(mol, self.code.settings, conv_tol_ha=self.code.conv_tol_ha)

    def _record(self, computed: _Computed) -> RelaxationStep:
        seeded, default = computed.seeded, computed.default
        attempts = [seeded.result]
        if seeded.fallback_reason is not None and seeded.attempt is not None:
            attempts.insert(0, seeded.attempt)
        difference = None
        if default is not None and default.converged:
            difference = (seeded.result.energy_ha - default.energy_ha) * HARTREE_TO_EV
        given = computed.start.make_dm0 is not None
        builds = given and computed.start.name != "previous_dm" and seeded.dm0 is not None
        return RelaxationStep(
            start=computed.start.name,
            seed_used=given and seeded.fallback_reason is None,
            fallback_reason=computed.reason,
            iterations=sum(run.iterations for run in attempts),
            fock_builds=sum(run.fock_builds for run in attempts) + builds,
            energy_ev=seeded.result.energy_ha * HARTREE_TO_EV,
            largest_move_ang=self._continuation.move,
            cpu_s=computed.cpu_s,
            wall_s=computed.wall_s,
            seed_cpu_s=max(0.0, computed.cpu_s - sum(run.cpu_s for run in attempts)),
            unseeded_iterations=None if default is None else default.iterations,
            energy_difference_ev=difference,
        )


def _molecule(atoms: Atoms, state: ElectronicState) -> Molecule:
    """Return the molecule of an atoms object in an electronic state.

    Raises
    ------
    StructureError
        If it is periodic, or has no such state.
    """
    if any(atoms.pbc):
        raise StructureError(
            f"{atoms.get_chemical_formula()} is periodic; here molecules are relaxed: give a "
            "Molecule, or use a code for crystals"
        )
    try:
        return Molecule(
            atoms.get_atomic_numbers(),
            atoms.get_positions(),
            charge=state.charge,
            spin_multiplicity=state.spin_multiplicity,
        )
    except ValueError as error:  # electrons and multiplicity do not go together
        raise StructureError(f"{atoms.get_chemical_formula()}: {error}") from error
