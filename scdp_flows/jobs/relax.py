"""Relax molecules by a DFT code whose calculations start from densities, through atomate2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from atomate2.ase.jobs import AseRelaxMaker
from atomate2.ase.schemas import AseTaskDoc
from atomate2.ase.utils import AseRelaxer
from jobflow import CURRENT_JOB, job
from pymatgen.core import Molecule

from scdp_flows.errors import StructureError
from scdp_flows.io.structures import structure_hash
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.schemas.identity import hill_formula
from scdp_flows.schemas.relaxation import RelaxationDoc, RelaxationStep
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from atomate2.ase.schemas import AseMoleculeTaskDoc, AseResult
    from jobflow import Job
    from pymatgen.core import Structure

    from scdp_flows.kind import DensityKind
    from scdp_flows.predictors.base import Predictor
    from scdp_models.basis.shells import BasisSet

__all__ = ["RelaxMaker", "RelaxationCode"]


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
        """Return an ASE calculator for one path, which keeps its `steps`."""
        ...


@dataclass(kw_only=True)
class RelaxMaker(AseRelaxMaker):
    """Make the job that relaxes molecules and records what each calculation started from.

    It is a Maker of atomate2, with all fields of ``AseRelaxMaker``, and its output is atomate2's
    document (a list of them for a list of molecules). The record of the starts is stored beside the
    reports, where it is found by the job's uuid.
    """

    name: str = "relax"
    code: RelaxationCode
    """The DFT code, its settings and how its calculations start."""
    basis: str = "lean"
    """Basis of the fits that some start policies need."""
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
        mol_or_struct: Molecule | list[Molecule],
        prev_dir: str | Path | None = None,
        *,
        predictor: Predictor | None = None,
    ) -> AseMoleculeTaskDoc | list[AseMoleculeTaskDoc]:
        """Relax one molecule or several.

        Parameters
        ----------
        mol_or_struct
            The molecule, or a list of them.
        prev_dir
            Not used; other Makers of atomate2 have it.
        predictor
            Predicts the densities to start from; its fields may be outputs of jobs.

        Raises
        ------
        StructureError
            If something is no molecule.
        KindMismatchError
            If the predictor is of another kind than the code.
        CalculationError
            If a calculation does not converge.
        """
        del prev_dir
        several = isinstance(mol_or_struct, list)
        molecules = mol_or_struct if isinstance(mol_or_struct, list) else [mol_or_struct]
        docs = [self._relax_and_store(one, i, predictor) for i, one in enumerate(molecules)]
        return docs if several else docs[0]

    def run_ase(
        self, mol_or_struct: Structure | Molecule, prev_dir: str | Path | None = None
    ) -> AseResult:
        """Relax a molecule here and now, without predictions and records.

        Parameters
        ----------
        mol_or_struct
            The molecule.
        prev_dir
            Not used.
        """
        del prev_dir
        return self._relax(mol_or_struct, self._get_calculator())

    def _get_calculator(self) -> Calculator:
        calculator: Calculator = self.code.calculator(None, None)
        return calculator

    def _relax(self, molecule: Molecule | Structure, calculator: Calculator) -> AseResult:
        relaxer = AseRelaxer(calculator, relax_cell=False, **self.optimizer_kwargs)
        return relaxer.relax(molecule, steps=self.steps, **self.relax_kwargs)

    def _relax_and_store(
        self, molecule: Molecule, index: int, predictor: Predictor | None
    ) -> AseMoleculeTaskDoc:
        if not isinstance(molecule, Molecule):
            raise StructureError(
                f"found a {type(molecule).__name__}; this Maker relaxes molecules: give a pymatgen "
                "Molecule"
            )
        needed = self.code.needs_basis
        basis = fit_basis(self.basis, molecule.atomic_numbers) if needed else None
        calculator = self.code.calculator(predictor, basis)
        result = self._relax(molecule, calculator)
        self._store(molecule, index, calculator.steps, predictor, converged=bool(result.converged))
        doc: AseMoleculeTaskDoc = AseTaskDoc.to_mol_or_struct_metadata_doc(  # type: ignore[assignment]
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

    def _store(
        self,
        molecule: Molecule,
        index: int,
        steps: list[RelaxationStep],
        predictor: Predictor | None,
        *,
        converged: bool,
    ) -> None:
        current: Job | None = CURRENT_JOB.job
        model_id = None if predictor is None else predictor.model_id()
        found, settings = structure_hash(molecule), self.code.settings_hash()
        doc = RelaxationDoc(
            relaxation_id=RelaxationDoc.make_id(found, settings, model_id),
            job_uuid=None if current is None else current.uuid,
            job_index=index,
            structure_hash=found,
            formula=hill_formula(molecule.atomic_numbers),
            settings_hash=settings,
            kind_key=self.code.kind().key(),
            policy=self.code.policy,
            predictor=None if predictor is None else predictor.name,
            model_id=model_id,
            converged=converged,
            steps=steps,
        )
        with open_stores(self.store_path) as stores:
            stores.reports.relaxations.put(doc)
