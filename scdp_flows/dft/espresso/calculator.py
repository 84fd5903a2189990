"""Offer ``pw.x`` to ASE, each calculation started from what the ones before and a model tell."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from monty.json import MSONable
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.espresso.files import SeedFiles
from scdp_flows.dft.espresso.orbitals import KeptOrbitals
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.espresso.seed import PwCalculation, augmented
from scdp_flows.dft.espresso.starts import PathStarts
from scdp_flows.dft.path import PathCalculator
from scdp_flows.dft.plane_waves.continuation import check_wave_policy
from scdp_flows.dft.plane_waves.program import check_converged
from scdp_flows.dft.plane_waves.seed import SeededRun, run_seeded
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import CalculationError, SettingsError, StructureError
from scdp_flows.schemas.relaxation import RelaxationStep
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from ase import Atoms

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.dft.path import ElectronicState
    from scdp_flows.dft.plane_waves.continuation import WavePolicy, WaveStart
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.kind import DensityKind
    from scdp_flows.predictors.base import Predictor
    from scdp_models.basis.shells import BasisSet

__all__ = ["EspressoCalculator", "EspressoRelaxation"]

_POSITIVE = ("seed_diago_thr_init", "orbitals_diago_thr_init", "history", "check_every")


@dataclass(frozen=True)
class EspressoRelaxation(MSONable):
    """Say how crystals are computed along a path of geometries of one cell.

    Raises
    ------
    SettingsError
        If a value is impossible.
    """

    settings: EspressoSettings
    """Pseudopotentials, cut-offs, k-points, thresholds; forces are computed in any case."""
    policy: WavePolicy = "auto"
    """What each calculation starts from."""
    seed_diago_thr_init: float | None = 1e-7
    """Threshold of the first diagonalisation where a density is given; that of the program when
    None."""
    orbitals_diago_thr_init: float | None = 1e-6
    """The same where the orbitals of the geometry before are given too, with which the program
    itself takes 1e-6."""
    history: int = 6
    """Most earlier geometries that are combined to a correction."""
    check_every: int | None = None
    """Every so many geometries the energy is compared with that of an unseeded calculation."""
    reference: dict[str, Any] | None = field(default=None, hash=False)
    """Spherical atoms, ``AtomicReference.to_dict()``, for pseudopotential files without an atomic
    density; None takes those of the files."""

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"{name} is {value}; expected a positive number")
        check_wave_policy(self.policy)

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        return self.settings.kind()

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings, 16 hexadecimal digits."""
        own = {name: value for name, value in asdict(self).items() if name != "settings"}
        content = {"settings": self.settings.settings_hash(), **own}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def needs_basis(self) -> bool:
        """Whether converged densities are fitted; they are carried on as waves instead."""
        return False

    @property
    def needs_predictor(self) -> bool:
        """Whether nothing can be started from without predictions."""
        return self.policy in {"prediction", "corrected"}

    def calculator(
        self,
        predictor: Predictor | None = None,
        basis: BasisSet | None = None,  # noqa: ARG002 - other codes fit
    ) -> EspressoCalculator:
        """Return a calculator for one path.

        Parameters
        ----------
        predictor
            Predicts densities of the same kind.
        basis
            Not used.

        Raises
        ------
        KindMismatchError
            If the predictor is of another kind.
        SettingsError
            If the policy needs a predictor that is not given.
        """
        return EspressoCalculator(self, predictor)


class _Computed(NamedTuple):
    """One converged geometry with what it took beside the runs of the program."""

    seeded: SeededRun[PwRun, SeedFiles]
    start: WaveStart
    reason: str | None
    default: PwRun | None
    move: float | None
    cpu_s: float
    wall_s: float


class EspressoCalculator(PathCalculator):
    """Give ASE energies (eV) and forces (eV/Å) of one crystal along a path of geometries.

    A start that fails is dropped, the calculation goes on from the program's own guess, and the
    history is forgotten. Occupancies inside the spheres of projector-augmented waves are those of
    the geometry before; the first geometry of such a path is not seeded. The charge is a parameter
    or that of the atoms object, see :class:`scdp_flows.dft.path.PathCalculator`; magnetic moments
    start as the settings say.

    Parameters
    ----------
    code
        How to compute and how to start.
    predictor
        Predicts densities; None: nothing is predicted, and ``"auto"`` means
        ``"extrapolated_density"``.

    Attributes
    ----------
    steps
        One record per geometry, in order.
    run
        The last calculation; None if it did not converge.
    """

    name = "espresso"
    default_parameters = {"charge": None}  # noqa: RUF012 - as ASE declares it
    run: PwRun | None

    def __init__(self, code: EspressoRelaxation, predictor: Predictor | None = None) -> None:
        super().__init__(code, predictor)
        self.code = code
        self.settings = replace(code.settings, forces=True)
        self._before: tuple[Crystal, SeedFiles] | None = None
        self._starts = PathStarts(self.settings, code.policy, code.history, code.reference)
        self._orbitals = KeptOrbitals()

    def _compute(self, atoms: Atoms, state: ElectronicState) -> None:
        computed = self._converge(_structure(atoms, state))
        run = computed.seeded.result
        if run.forces is None:
            raise CalculationError("pw.x printed no forces")
        self.run = run
        self.steps.append(self._record(computed))
        self.results = {"energy": run.energy_ev, "forces": run.forces}

    def _converge(self, structure: Structure) -> _Computed:
        crystal = as_crystal(structure, self.settings)
        default = self._unseeded(crystal)
        cpu, wall = time.process_time(), time.perf_counter()
        if self._before is not None and not _same_atoms(self._before[0], crystal):
            self._forget()
            self._before = None
        needs_spin = self.settings.spin == "unrestricted"
        density, reason = self._predict(structure, needs_spin=needs_spin)
        start, reason = self._starts.start(crystal, density, reason)
        seeded = self._run(crystal, start, default)
        result = seeded.result
        if seeded.fallback_reason is not None:
            self._forget()
        check_converged(result, crystal.formula, "pw.x", f"{self.settings.conv_thr_ry} Ry")
        move = self._learn(crystal, result.final)
        if result is not default:
            self._orbitals.belong_to(crystal)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        wall += default.wall_s if default is not None and result is default else 0.0
        reason = seeded.fallback_reason or reason
        return _Computed(seeded, start, reason, default, move, cpu, wall)

    def _forget(self) -> None:
        """Drop all that was learnt; occupancies inside spheres stay with their atoms."""
        self._starts.forget()
        self._orbitals.forget()

    def _learn(self, crystal: Crystal, final: SeedFiles | None) -> float | None:
        """Take note of a converged density and return how far an atom moved to it, Å."""
        if final is None:
            return None
        self._starts.learn(crystal, final.waves)
        before, self._before = self._before, (crystal, final)
        if before is None:
            return None
        return float(np.linalg.norm(crystal.positions - before[0].positions, axis=1).max())

    def _run(
        self, crystal: Crystal, start: WaveStart, default: PwRun | None
    ) -> SeededRun[PwRun, SeedFiles]:
        waves, folder = start.waves, self._orbitals.folder
        if waves is None:
            run = default or run_scf(crystal, self.settings, keep_orbitals=folder)
            return SeededRun(run, None, None, None, 0.0, 0.0)

        orbitals = self._orbitals.fitting(crystal)

        def seed() -> SeedFiles:
            if not augmented(crystal, self.settings):
                return SeedFiles(waves, orbitals=orbitals)
            if self._before is None:
                raise CalculationError(
                    "projector-augmented waves need occupancies inside the spheres, which only an "
                    "earlier geometry gives"
                )
            return SeedFiles(waves, self._before[1].paw, orbitals=orbitals)

        code = self.code
        threshold = code.orbitals_diago_thr_init if orbitals else code.seed_diago_thr_init
        calculation = PwCalculation(crystal, self.settings, threshold, folder)
        return run_seeded(calculation, seed, default=default)

    def _unseeded(self, crystal: Crystal) -> PwRun | None:
        """Converge from the program's own guess where that is to be compared with."""
        every = self.code.check_every
        if every is None or len(self.steps) % every:
            return None
        return run_scf(crystal, self.settings)

    def _record(self, computed: _Computed) -> RelaxationStep:
        seeded, default = computed.seeded, computed.default
        attempts = [seeded.result]
        if seeded.fallback_reason is not None and seeded.attempt is not None:
            attempts.insert(0, seeded.attempt)
        forces = seeded.result.forces
        difference = None
        if default is not None and default.converged:
            difference = (seeded.result.energy_ha - default.energy_ha) * HARTREE_TO_EV
        return RelaxationStep(
            start=computed.start.name,
            seed_used=computed.start.waves is not None and seeded.fallback_reason is None,
            fallback_reason=computed.reason,
            iterations=sum(run.iterations for run in attempts),
            fock_builds=sum(run.hamiltonian_calls for run in attempts),
            energy_ev=seeded.result.energy_ev,
            largest_force_ev_ang=None
            if forces is None
            else float(np.linalg.norm(forces, axis=1).max()),
            largest_move_ang=computed.move,
            cpu_s=computed.cpu_s + sum(run.cpu_s for run in attempts),
            wall_s=computed.wall_s,
            seed_cpu_s=computed.cpu_s,
            unseeded_iterations=None if default is None else default.iterations,
            energy_difference_ev=difference,
        )


def _same_atoms(one: Crystal, other: Crystal) -> bool:
    """Whether two geometries differ in the places of their atoms alone."""
    same_cell = np.array_equal(one.cell, other.cell)
    return same_cell and np.array_equal(one.numbers, other.numbers) and one.charge == other.charge


def _structure(atoms: Atoms, state: ElectronicState) -> Structure:
    """Return the crystal of an atoms object, positions as they are."""
    if not all(atoms.pbc):
        raise StructureError(
            f"{atoms.get_chemical_formula()} is not periodic in three directions; pw.x computes "
            "crystals: put a molecule into a box, or use another code"
        )
    return Structure(
        Lattice(atoms.cell.array),
        atoms.get_atomic_numbers(),
        atoms.get_positions(),
        coords_are_cartesian=True,
        charge=state.charge,
    )
