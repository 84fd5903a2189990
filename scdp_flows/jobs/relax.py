"""Relax structures by a DFT code whose calculations start from densities, through atomate2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from atomate2.ase.jobs import AseRelaxMaker
from atomate2.ase.schemas import AseTaskDoc
from atomate2.ase.utils import AseRelaxer
from jobflow import CURRENT_JOB, job
from monty.json import jsanitize
from pymatgen.core import Molecule, Structure

from scdp_flows.errors import ScdpFlowsError, StructureError
from scdp_flows.io.structures import structure_hash, total_charge
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.relaxation_record import RelaxationRecord
from scdp_flows.schemas.identity import content_hash, hill_formula
from scdp_flows.schemas.relaxation import RelaxationDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from atomate2.ase.schemas import AseMoleculeTaskDoc, AseResult, AseStructureTaskDoc
    from jobflow import Job

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.kind import DensityKind
    from scdp_flows.predictors.base import Predictor
    from scdp_models.basis.shells import BasisSet

    _Doc = AseMoleculeTaskDoc | AseStructureTaskDoc

__all__ = ["RelaxMaker", "RelaxationCode", "StaticMaker"]


class RelaxationCode(Protocol):
    """A DFT code with its settings for paths of geometries; survives JSON."""

    @property
    def policy(self) -> str:
        """How starts are chosen."""
        ...

    @property
    def needs_basis(self) -> bool:
        """Whether converged densities are fitted."""
        ...

    def kind(self) -> DensityKind:
        """Return which density the settings produce."""
        ...

    def settings_hash(self) -> str:
        """Return an identifier that is equal for equal settings."""
        ...

    def calculator(self, predictor: Predictor | None, basis: BasisSet | None) -> Any:
        """Return an ASE calculator for one path, which keeps its `steps`.

        It has the parameter `charge`, for molecules `spin_multiplicity` too.
        """
        ...


@dataclass(kw_only=True)
class RelaxMaker(AseRelaxMaker):
    """Make the job that relaxes structures and records what each calculation started from.

    What can be relaxed is what the code computes: molecules or crystals, whose cell is kept.

    It is a Maker of atomate2, with all fields of ``AseRelaxMaker``, and its output is atomate2's
    document (a list of them for a list of structures). The record of the starts is stored beside
    the reports, where it is found by the job's uuid. It is kept up to date at every geometry: a job
    that is run again after it broke off goes on from the last geometry that converged, and its
    document then has the geometries since.
    """

    name: str = "relax"
    code: RelaxationCode
    """The DFT code, its settings and how its calculations start."""
    basis: str = "lean"
    """Basis of the fits that some start policies need."""
    predictor: Predictor | None = None
    """Predicts the densities to start from, where `make` is given no other."""
    store_path: str | None = None
    """Folder of the embedded stores; None: the stores that the settings name where the job runs."""
    relax_cell: bool = False
    steps: int = 200
    relax_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"fmax": 0.05, "final_atoms_object_file": None}
    )
    optimizer_kwargs: dict[str, Any] = field(default_factory=lambda: {"optimizer": "BFGS"})

    def __post_init__(self) -> None:
        """Make the path absolute: jobs may run in folders of their own."""
        super().__post_init__()
        if self.store_path is not None:
            self.store_path = str(Path(self.store_path).expanduser().absolute())

    @job(data=["trajectory"])  # the same additional store as all of atomate2's ASE jobs
    def make(
        self,
        mol_or_struct: AtomicStructure | list[AtomicStructure],
        prev_dir: str | Path | None = None,
        *,
        predictor: Predictor | None = None,
    ) -> _Doc | list[_Doc]:
        """Relax one structure or several.

        Parameters
        ----------
        mol_or_struct
            The molecule or crystal, or a list of them.
        prev_dir
            Not used; other Makers of atomate2 have it.
        predictor
            Predicts the densities to start from; its fields may be outputs of jobs. None: that of
            the Maker.

        Raises
        ------
        StructureError
            If something is no structure, or none that the code computes.
        KindMismatchError
            If the predictor is of another kind than the code.
        CalculationError
            If a calculation does not converge.
        """
        del prev_dir
        several = isinstance(mol_or_struct, list)
        structures = mol_or_struct if isinstance(mol_or_struct, list) else [mol_or_struct]
        chosen = self.predictor if predictor is None else predictor
        docs = [self._relax_and_store(one, i, chosen) for i, one in enumerate(structures)]
        return docs if several else docs[0]

    def run_ase(
        self, mol_or_struct: AtomicStructure, prev_dir: str | Path | None = None
    ) -> AseResult:
        """Relax a structure here and now, without a record.

        Parameters
        ----------
        mol_or_struct
            The molecule or crystal.
        prev_dir
            Not used.
        """
        del prev_dir
        return self._relax(mol_or_struct, self._calculator_of(mol_or_struct, self.predictor))

    def _calculator_of(self, structure: AtomicStructure, predictor: Predictor | None) -> Any:
        needed = self.code.needs_basis
        basis = fit_basis(self.basis, structure.atomic_numbers) if needed else None
        calculator = self.code.calculator(predictor, basis)
        # ASE has no word for them: what turns crystals into atoms objects drops their charge.
        state: dict[str, float] = {"charge": total_charge(structure)}
        if isinstance(structure, Molecule):
            state["spin_multiplicity"] = structure.spin_multiplicity
        calculator.set(**state)
        return calculator

    def _relax(
        self,
        structure: AtomicStructure,
        calculator: Calculator,
        watch: Callable[[Atoms], None] | None = None,
        done: int = 0,
    ) -> AseResult:
        """Relax, telling of every geometry; `done` optimisation steps were made before."""
        relaxer = AseRelaxer(calculator, relax_cell=False, **self.optimizer_kwargs)
        make: Any = relaxer.opt_class

        def watched(atoms: Atoms, **keywords: Any) -> Any:
            optimizer = make(atoms, **keywords)
            if watch is not None:
                optimizer.attach(lambda: watch(atoms))
            return optimizer

        relaxer.opt_class = watched  # type: ignore[assignment]
        # Less than two would be taken for a static calculation.
        steps = max(2, self.steps - done) if done else self.steps
        result = relaxer.relax(structure, steps=steps, **self.relax_kwargs)
        if isinstance(result.final_mol_or_struct, Structure):
            result.final_mol_or_struct.set_charge(total_charge(structure))
        return result

    def _relax_and_store(
        self, structure: AtomicStructure, index: int, predictor: Predictor | None
    ) -> _Doc:
        if not isinstance(structure, (Molecule, Structure)):
            raise StructureError(
                f"found a {type(structure).__name__}; give a pymatgen Molecule or Structure"
            )
        calculator = self._calculator_of(structure, predictor)
        record = self._record_of(structure, index, predictor)
        start, done = record.resumed(structure)

        def watch(atoms: Atoms) -> None:
            record.keep(calculator.steps, atoms.get_positions())

        try:
            result = self._relax(start, calculator, watch, done)
        except ScdpFlowsError as error:
            record.fail(calculator.steps, str(error))
            raise
        last = result.final_mol_or_struct
        record.finish(
            calculator.steps,
            None if last is None else last.cart_coords,
            converged=bool(result.converged),
        )
        doc: _Doc = AseTaskDoc.to_mol_or_struct_metadata_doc(
            calculator.name,
            result,
            self.steps,
            relax_kwargs=self.relax_kwargs,
            optimizer_kwargs=self.optimizer_kwargs,
            relax_cell=False,
            ionic_step_data=self.ionic_step_data,
            store_trajectory=self.store_trajectory,
            tags=self.tags,
        )
        return doc

    def _record_of(
        self, structure: AtomicStructure, index: int, predictor: Predictor | None
    ) -> RelaxationRecord:
        current: Job | None = CURRENT_JOB.job
        name = None if predictor is None else predictor.name
        model_id = None if predictor is None else predictor.model_id()
        found, settings = structure_hash(structure), self.code.settings_hash()
        how = [
            settings,
            self.steps,
            self.basis if self.code.needs_basis else None,
            self.relax_kwargs,
            self.optimizer_kwargs,
            name,
        ]
        fields = {
            "relaxation_id": RelaxationDoc.make_id(found, content_hash(jsanitize(how)), model_id),
            "job_uuid": None if current is None else current.uuid,
            "job_index": index,
            "structure_hash": found,
            "formula": hill_formula(structure.atomic_numbers),
            "settings_hash": settings,
            "kind_key": self.code.kind().key(),
            "policy": self.code.policy,
            "predictor": name,
            "model_id": model_id,
        }
        return RelaxationRecord(fields, self.store_path)


@dataclass(kw_only=True)
class StaticMaker(RelaxMaker):
    """Make the job that computes energy and forces of structures where they are.

    It is a relaxation of no steps, with the same document and record.
    """

    name: str = "static"
    steps: int = 0
