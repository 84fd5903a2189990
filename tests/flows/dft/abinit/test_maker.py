"""atomate2's own ABINIT Makers, run with the real program and started from a density."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jobflow import Flow, Job, run_locally

from scdp_flows.dft.abinit.maker import SeededAbinitMaker
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_models.density.atomic import AtomicReference

pytestmark = [
    pytest.mark.requires("abinit", "abipy"),
    pytest.mark.filterwarnings("ignore"),  # abipy, pandas and netCDF warn in many ways
]

OPTIONS: dict[str, Any] = {"ecut": 5, "kppa": 20, "spin_mode": "unpolarized"}


@pytest.fixture
def predictor(gaussian_atom: AtomicReference) -> AtomicPredictor:
    """Give a predictor of one Gaussian for each atom."""
    return AtomicPredictor(reference=gaussian_atom.to_dict())


@pytest.fixture
def options(cheap: AbinitSettings) -> dict[str, Any]:
    """Give fields of atomate2's generators: pseudopotentials as paths, no download."""
    file = Path(cheap.pseudo_dir) / cheap.pseudopotentials["Si"]
    return {
        "pseudos": [str(file)],
        "factory_kwargs": OPTIONS,
        "user_abinit_settings": {"chksymtnons": 0},
    }


def _outputs(jobs: list[Flow | Job], folder: Path) -> list[Any]:
    """Run jobs, each in a folder of its own, and give their last outputs."""
    responses = run_locally(Flow(jobs), create_folders=True, root_dir=folder, ensure_success=True)
    return [max(responses[job.uuid].items())[1].output for job in jobs]


def test_a_static_calculation_starts_from_the_density_and_ends_at_the_same_energy(
    distorted: Structure,
    options: dict[str, Any],
    predictor: AtomicPredictor,
    tmp_path: Path,
) -> None:
    from atomate2.abinit.jobs.core import StaticMaker
    from atomate2.abinit.sets.core import StaticSetGenerator

    plain = StaticMaker(input_set_generator=StaticSetGenerator(**options))
    store_path = str(tmp_path / "store")
    seeded = SeededAbinitMaker(plain, predictor, store_path)
    makers: list[Any] = [plain, SeededAbinitMaker.from_dict(seeded.as_dict())]
    jobs = [maker.make(distorted) for maker in makers]
    default, started = _outputs(jobs, tmp_path)
    assert started.output.energy == pytest.approx(default.output.energy, abs=1e-6)
    assert started.task_label == default.task_label
    with open_stores(store_path) as stores:
        (doc,) = stores.reports.run_seeds.query({"job_uuid": jobs[1].uuid})
    assert doc.audit is not None
    assert doc.reason is None
    assert (doc.status, doc.audit.seed_used) == ("seeded", True)
    assert doc.audit.grid == doc.grid
    assert doc.audit.energy_ev == pytest.approx(started.output.energy, abs=1e-6)


def test_a_relaxation_is_seeded_at_its_first_step_and_restarted_by_atomate2_alone(
    distorted: Structure,
    options: dict[str, Any],
    predictor: AtomicPredictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from atomate2 import SETTINGS
    from atomate2.abinit.jobs.core import RelaxMaker
    from atomate2.abinit.sets.core import RelaxSetGenerator

    monkeypatch.setattr(SETTINGS, "ABINIT_MAX_RESTARTS", 1)
    options["user_abinit_settings"] = {"chksymtnons": 0, "ntime": 2}
    store_path = str(tmp_path / "store")
    generator = RelaxSetGenerator(**options, relax_cell=False)
    maker = SeededAbinitMaker(RelaxMaker(input_set_generator=generator), predictor, store_path)
    job = maker.make(distorted)
    (doc,) = _outputs([job], tmp_path)
    assert doc.output.energy < 0
    with open_stores(store_path) as stores:
        (record,) = stores.reports.run_seeds.query()  # the restart is not ours
    assert record.audit is not None
    assert len(record.audit.scf_steps) == 2
    assert record.changes["irdden"] == 1


def test_a_maker_is_seeded_once_and_keeps_its_name(predictor: AtomicPredictor) -> None:
    from atomate2.abinit.jobs.core import StaticMaker

    once = SeededAbinitMaker(StaticMaker(name="first"), predictor)
    twice = SeededAbinitMaker(once, predictor, "elsewhere")
    assert isinstance(twice.maker, StaticMaker)
    assert twice.name == "first"
    assert twice.calc_type == StaticMaker().calc_type
