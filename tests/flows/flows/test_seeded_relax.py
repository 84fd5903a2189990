"""Relaxation, from one structure to its documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jobflow import Job
from pymatgen.core import Structure

from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.dft.espresso.calculator import EspressoRelaxation
from scdp_flows.dft.pyscf import PyscfSettings
from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.flows.seeded_relax import SeededRelaxMaker
from scdp_flows.jobs.relax import RelaxMaker
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


@pytest.mark.requires("pyscf")
def test_a_poor_model_still_relaxes_to_the_same_molecule(
    water: Molecule, run_flow: Any, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    # The kind of the model, on a grid that costs nothing.
    code = PyscfRelaxation(PyscfSettings(grid_level=0), check_every=2)
    maker = SeededRelaxMaker(
        relax_maker=RelaxMaker(code=code, steps=4), store_path=str(tmp_path / "store")
    )
    (doc,) = run_flow(maker.make(water, predictor=ScdpPredictor(str(tiny_checkpoint))))
    assert doc.output.energy < -460
    with open_stores(tmp_path / "store") as stores:
        (record,) = stores.reports.relaxations.query()
    assert len(record.steps) > 1
    assert record.steps[0].start == "prediction"
    checked = [s.energy_difference_ev for s in record.steps if s.energy_difference_ev is not None]
    assert checked == pytest.approx([0.0] * len(checked), abs=2.7e-6)


def test_the_shipped_model_starts_pyscf_by_default(water: Molecule) -> None:
    maker = SeededRelaxMaker()
    flow = maker.make([water, water])
    assert [job.function_kwargs["predictor"] for job in flow.jobs if isinstance(job, Job)] == [
        ScdpPredictor(),
        ScdpPredictor(),
    ]
    again = RelaxMaker.from_dict(maker.relax_maker.as_dict())
    assert isinstance(again, RelaxMaker)
    assert again.code == PyscfRelaxation()


@pytest.mark.requires("espresso")
def test_a_crystal_is_relaxed_by_pw_x(run_flow: Any, tmp_path: Path) -> None:
    half = 5.43 / 2
    lattice = [[0, half, half], [half, 0, half], [half, half, 0]]
    silicon = Structure(lattice, ["Si", "Si"], [[0.0, 0.0, 0.0], [0.26, 0.25, 0.24]])
    settings = EspressoSettings({"Si": "Si.pbe-rrkj.UPF"}, ecutwfc_ry=12.0, kshift=(1, 1, 1))
    atoms = EspressoCode(settings).atomic_reference([14])
    code = EspressoRelaxation(settings, policy="corrected", check_every=2)
    maker = SeededRelaxMaker(
        relax_maker=RelaxMaker(code=code, steps=2), store_path=str(tmp_path / "store")
    )
    (doc,) = run_flow(maker.make(silicon, predictor=AtomicPredictor(reference=atoms.to_dict())))
    with open_stores(tmp_path / "store") as stores:
        (record,) = stores.reports.relaxations.query()
    assert doc.structure.volume == pytest.approx(silicon.volume)
    assert [step.start for step in record.steps] == ["prediction", "corrected", "extrapolated"]
    checked = record.steps[2]
    assert checked.unseeded_iterations is not None
    assert checked.unseeded_iterations > checked.iterations
    assert checked.energy_difference_ev == pytest.approx(0, abs=2.7e-6)
