"""The job is atomate2's, with a record of ours beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from ase.optimize import FIRE
from jobflow import Flow
from monty.json import MSONable
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.errors import CalculationError, StructureError
from scdp_flows.io.structures import structure_hash, total_charge
from scdp_flows.jobs.relax import RelaxMaker, StaticMaker
from scdp_flows.kind import DensityKind
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.schemas.relaxation import RelaxationStep
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from scdp_flows.schemas.relaxation import RelaxationDoc


class Spheres(LennardJones):
    """Lennard-Jones spheres that keep a record, as if they had iterated."""

    def __init__(self, lasting: int | None = None) -> None:
        self.lasting = lasting
        super().__init__(sigma=1.0, epsilon=1.0, rc=5.0)  # type: ignore[no-untyped-call]
        self.steps: list[RelaxationStep] = []

    def calculate(self, *args: Any, **keywords: Any) -> None:
        if len(self.steps) == self.lasting:
            raise CalculationError("worn out")
        super().calculate(*args, **keywords)  # type: ignore[no-untyped-call]
        values = {"iterations": 3, "fock_builds": 5, "cpu_s": 0.0, "wall_s": 0.0}
        energy = float(self.results["energy"])
        step = RelaxationStep(start="default", seed_used=False, energy_ev=energy, **values)
        self.steps.append(step)


@dataclass(frozen=True)
class SpheresCode(MSONable):
    """A code that costs nothing; `bases` keeps what its calculators were given."""

    policy: str = "default"
    lasting: int | None = None
    needs_basis: bool = False
    bases: list[Any] = field(default_factory=list, compare=False)
    predictors: list[Any] = field(default_factory=list, compare=False)
    calculators: list[Any] = field(default_factory=list, compare=False)

    def kind(self) -> DensityKind:
        return DensityKind("valence", "none", "LJ", "none", "restricted", "spheres")

    def settings_hash(self) -> str:
        return "spheres"

    def calculator(self, predictor: Any, basis: Any) -> Spheres:
        self.bases.append(basis)
        self.predictors.append(predictor)
        made = Spheres(self.lasting)
        self.calculators.append(made)
        return made


@pytest.fixture
def pair() -> Molecule:
    """Give two spheres that are too far apart."""
    return Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.3]])


def test_a_relaxation_is_a_document_of_atomate2_and_a_record(
    pair: Molecule, store_path: str, run_flow: Any
) -> None:
    job = RelaxMaker(code=SpheresCode(), store_path=store_path).make(pair)
    doc = run_flow(Flow([job], output=job.output))
    assert doc.is_force_converged
    assert doc.molecule.get_distance(0, 1) == pytest.approx(2 ** (1 / 6), abs=0.01)
    with open_stores(store_path) as stores:
        record: RelaxationDoc = next(stores.reports.relaxations.query({"job_uuid": job.uuid}))
    assert record.converged
    assert record.formula == "H2"
    assert record.steps[-1].energy_ev == pytest.approx(doc.output.energy)


def test_a_list_gives_a_list_and_each_molecule_its_own_calculator(
    pair: Molecule, store_path: str, run_flow: Any
) -> None:
    closer = Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]])
    job = RelaxMaker(code=SpheresCode(), store_path=store_path).make([pair, closer])
    docs = run_flow(Flow([job], output=job.output))
    assert len(docs) == 2
    with open_stores(store_path) as stores:
        assert sorted(doc.job_index for doc in stores.reports.relaxations.query()) == [0, 1]


def test_a_basis_is_found_where_it_is_needed(pair: Molecule, store_path: str) -> None:
    code = SpheresCode(needs_basis=True)
    RelaxMaker.make.original(RelaxMaker(code=code, store_path=store_path), pair)  # type: ignore[attr-defined]
    assert code.bases[0].name.startswith("lean")


def test_it_runs_without_a_job_as_other_makers_of_atomate2_do(pair: Molecule) -> None:
    assert RelaxMaker(code=SpheresCode()).run_ase(pair).converged


def test_a_crystal_keeps_its_cell(store_path: str) -> None:
    crystal = Structure(Lattice.cubic(4), ["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.35]])
    maker = RelaxMaker(code=SpheresCode(), store_path=store_path)
    doc = RelaxMaker.make.original(maker, crystal)  # type: ignore[attr-defined]
    assert doc.is_force_converged
    assert doc.structure.lattice == crystal.lattice
    with open_stores(store_path) as stores:
        (record,) = stores.reports.relaxations.query()
    assert record.structure_hash == structure_hash(crystal)


def test_the_charge_of_a_crystal_is_kept(store_path: str) -> None:
    crystal = Structure(Lattice.cubic(4), ["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.3]], charge=2)
    code = SpheresCode()
    maker = RelaxMaker(code=code, store_path=store_path)
    doc = RelaxMaker.make.original(maker, crystal)  # type: ignore[attr-defined]
    assert code.calculators[0].parameters["charge"] == 2
    assert total_charge(doc.structure) == 2


def test_what_is_no_structure_is_refused(store_path: str) -> None:
    maker = RelaxMaker(code=SpheresCode(), store_path=store_path)
    with pytest.raises(StructureError, match="found a str"):
        RelaxMaker.make.original(maker, "H2")  # type: ignore[attr-defined]


def test_the_predictor_of_the_maker_is_used_where_the_job_is_given_none(
    pair: Molecule, store_path: str
) -> None:
    code = SpheresCode()
    own, given = AtomicPredictor(name="own"), AtomicPredictor(name="given")
    maker = RelaxMaker(code=code, predictor=own, store_path=store_path)
    RelaxMaker.make.original(maker, pair)  # type: ignore[attr-defined]
    RelaxMaker.make.original(maker, pair, predictor=given)  # type: ignore[attr-defined]
    assert code.predictors == [own, given]


def test_a_relaxation_that_breaks_off_goes_on_when_it_is_run_again(
    pair: Molecule, store_path: str
) -> None:
    maker = RelaxMaker(code=SpheresCode(lasting=3), store_path=store_path)
    with pytest.raises(CalculationError):
        RelaxMaker.make.original(maker, pair)  # type: ignore[attr-defined]
    with open_stores(store_path) as stores:
        (broken,) = stores.reports.relaxations.query()
    assert (len(broken.steps), broken.complete, broken.converged) == (3, False, False)
    assert broken.failure == "worn out"
    code = SpheresCode()
    again = replace(maker, code=code)
    doc = RelaxMaker.make.original(again, pair)  # type: ignore[attr-defined]
    with open_stores(store_path) as stores:
        (record,) = stores.reports.relaxations.query()
    assert record.complete
    assert record.converged
    assert record.failure is None
    assert record.steps[:3] == broken.steps
    assert code.calculators[0].steps[0].energy_ev == pytest.approx(broken.steps[-1].energy_ev)
    assert np.allclose(np.array(record.last_positions), doc.molecule.cart_coords)


@pytest.mark.parametrize(
    "changes",
    [
        {"relax_kwargs": {"fmax": 0.2, "final_atoms_object_file": None}},
        {"optimizer_kwargs": {"optimizer": FIRE}},
        {"predictor": AtomicPredictor(name="other")},
    ],
    ids=["fmax", "optimizer", "predictor"],
)
def test_another_way_to_relax_is_another_record(
    pair: Molecule, store_path: str, changes: dict[str, Any]
) -> None:
    maker = RelaxMaker(code=SpheresCode(), predictor=AtomicPredictor(), store_path=store_path)
    for one in (maker, replace(maker, **changes)):
        RelaxMaker.make.original(one, pair)  # type: ignore[attr-defined]
    with open_stores(store_path) as stores:
        assert len(list(stores.reports.relaxations.query())) == 2


def test_a_static_calculation_moves_nothing(pair: Molecule, store_path: str) -> None:
    maker = StaticMaker(code=SpheresCode(), store_path=store_path)
    doc = StaticMaker.make.original(maker, pair)  # type: ignore[attr-defined]
    assert doc.molecule.get_distance(0, 1) == pytest.approx(1.3)
    RelaxMaker.make.original(RelaxMaker(code=SpheresCode(), store_path=store_path), pair)  # type: ignore[attr-defined]
    with open_stores(store_path) as stores:
        records = list(stores.reports.relaxations.query())
    assert len(records) == 2
    assert min(len(record.steps) for record in records) == 1
