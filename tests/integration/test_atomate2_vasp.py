"""Run flows of atomate2 as they are, through real custodian, with a stand-in for VASP."""

from __future__ import annotations

import gzip
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from atomate2.vasp.flows.core import DoubleRelaxMaker
from atomate2.vasp.flows.elastic import ElasticMaker
from atomate2.vasp.flows.eos import EosMaker
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import NonSCFMaker, StaticMaker
from atomate2.vasp.powerups import update_user_incar_settings, update_user_kpoints_settings
from jobflow import Flow, Job, JobStore, Response, job, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp.inputs import Incar

from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import read_record
from scdp_flows.jobs.harvest import RECORD, harvest_records
from scdp_flows.powerups import harvest_vasp, seed_vasp
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import Maker

    from scdp_flows.schemas.vasp_seed import VaspSeedDoc

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETTINGS = {"ENCUT": 150, "PREC": "Normal", "MAGMOM": {"Si": 0.6}, "KSPACING": None}


@pytest.fixture
def silicon() -> Structure:
    lattice = Lattice([[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]])
    return Structure(lattice, ["Si", "Si"], [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]])


@pytest.fixture
def runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in on the path under VASP's names, and give the folder of the runs."""
    import pymatgen.core

    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("vasp_std", "vasp_gam"):
        script = programs / name
        fake = repository / "tests" / "fake_vasp.py"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{fake}"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", f"{repository}{os.pathsep}{repository / 'models'}")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    potentials = str(repository / "tests" / "data" / "vasp" / "psp")
    monkeypatch.setitem(pymatgen.core.SETTINGS, "PMG_VASP_PSP_DIR", potentials)
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def _small(maker: Any) -> Any:
    """Make calculations cheap by atomate2's own power-ups."""
    settings = {name: value for name, value in SETTINGS.items() if value is not None}
    # Custodian looks every ten seconds whether a run has ended.
    quick = {"_set": {"run_vasp_kwargs->custodian_kwargs": {"polling_time_step": 0.2}}}
    maker = maker.update_kwargs(quick, class_filter=BaseVaspMaker, dict_mod=True)
    return update_user_kpoints_settings(
        update_user_incar_settings(maker, settings), {"reciprocal_density": 8}
    )


def _execute(work: Flow | Job, runs: Path) -> Any:
    database = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    return run_locally(
        work, create_folders=True, root_dir=runs, store=database, raise_immediately=True, log=False
    )


def _records(runs: Path) -> list[VaspSeedDoc]:
    """Return the records of all VASP runs in the order of the runs, and compare the store."""
    folders = sorted({path.parent for path in runs.rglob("OUTCAR*")})
    found = [read_record(folder) for folder in folders]
    docs = [doc for doc in found if doc is not None]
    assert len(docs) == len(folders)
    with open_stores() as stores:
        for doc in docs:
            assert stores.reports.vasp_seeds.get(f"{doc.job_uuid}-{doc.job_index}") == doc
    return docs


def _incar(folder: Path) -> dict[str, Any]:
    with gzip.open(folder / "INCAR.gz", "rt") as stream:
        return dict(Incar.from_str(stream.read()))


def test_a_static_calculation_is_seeded_and_otherwise_the_same(
    runs: Path, silicon: Structure
) -> None:
    plain = _small(StaticMaker())
    first = plain.make(silicon)
    cold = _execute(first, runs)[first.uuid][1].output
    seeded = seed_vasp(plain, EarlierRunSource((str(runs),)))
    moved = silicon.copy()
    moved.apply_strain(0.01)
    jobs = [maker.make(moved) for maker in (plain, seeded)]
    outputs = [_execute(job, runs)[job.uuid][1].output for job in jobs]
    assert outputs[1].output.energy == pytest.approx(outputs[0].output.energy, abs=1e-8)
    assert outputs[1].model_dump().keys() == cold.model_dump().keys()
    folders = sorted(path.parent for path in runs.rglob("INCAR.gz"))
    tags = [_incar(folder) for folder in folders]
    assert tags[2] == tags[1] | {"ICHARG": 1}
    doc = read_record(folders[2])
    assert doc is not None
    assert doc.audit is not None
    assert doc.audit.seed_used
    assert (doc.magnetization, doc.audit.magnetization) == ("source", "read")
    assert (doc.job_uuid, doc.job_index, doc.job_name) == (jobs[1].uuid, 1, "static")
    with open_stores() as stores:
        assert stores.reports.vasp_seeds.get(f"{jobs[1].uuid}-1") == doc


def _phonons() -> Maker:
    from atomate2.vasp.flows.phonons import PhononMaker

    return PhononMaker(
        born_maker=None,
        bulk_relax_maker=None,
        min_length=3.0,
        prefer_90_degrees=False,
        create_thermal_displacements=False,
        store_force_constants=False,
    )


@pytest.mark.parametrize(
    ("maker", "fewest"),
    [
        (DoubleRelaxMaker, 2),
        (lambda: ElasticMaker(bulk_relax_maker=None), 3),
        (lambda: EosMaker(number_of_frames=3), 1),
        pytest.param(_phonons, 1, marks=pytest.mark.requires("phonopy")),
    ],
    ids=["double relax", "elastic", "equation of state", "phonons"],
)
def test_flows_run_to_their_end(
    runs: Path, silicon: Structure, maker: Callable[[], Maker], fewest: int
) -> None:
    # Relaxations of atomate2 write no density; a static calculation does.
    earlier = runs / "earlier"
    earlier.mkdir()
    _execute(_small(StaticMaker()).make(silicon), earlier)
    here = runs / "here"
    here.mkdir()
    source = EarlierRunSource((str(runs),))
    _execute(seed_vasp(_small(maker()), source).make(silicon), here)
    docs = _records(here)
    seeded = [doc for doc in docs if doc.status == "seeded"]
    assert len(seeded) >= fewest
    assert all(doc.audit is not None and doc.audit.seed_used for doc in seeded)
    others = [str(doc.reason) for doc in docs if doc.status == "left"]
    assert all("earlier calculation" in text or "no earlier run" in text for text in others)


def test_band_structures_are_left_alone(runs: Path, silicon: Structure) -> None:
    source = EarlierRunSource((str(runs),))
    static = seed_vasp(_small(StaticMaker()), source).make(silicon)
    bands = seed_vasp(_small(NonSCFMaker()), source)
    job = bands.make(silicon, prev_dir=static.output.dir_name, mode="uniform")
    _execute(Flow([static, job]), runs)
    last = _records(runs)[-1]
    assert last.status == "left"
    assert "ICHARG >= 10" in str(last.reason)


def test_a_wrapped_command_seeds_any_maker_and_sees_restarts(
    runs: Path, silicon: Structure
) -> None:
    plain = _small(StaticMaker())
    _execute(plain.make(silicon), runs)
    program = f'{sys.executable} -c "from scdp_flows.cli import app; app()"'
    scdp = f"{program} vasp-seed --runs {runs} --reseed -- vasp_std"
    wrapped = _small(StaticMaker(run_vasp_kwargs={"vasp_cmd": scdp}))
    # An error that makes custodian delete CHGCAR and start again.
    wrapped.write_additional_data = {"FAIL_ONCE": "WARNING in EDDRMM: call to ZHEGV failed"}
    _execute(wrapped.make(silicon), runs)
    folder = max(path.parent for path in runs.rglob("INCAR.gz"))
    doc = read_record(folder)
    assert doc is not None
    assert doc.audit is not None
    assert doc.audit.seed_used
    assert any("EddrmmError" in event or "eddrmm" in event for event in doc.events)
    assert "before a restart: CHGCAR was deleted" in doc.events
    assert "seeded again" in doc.events
    assert _incar(folder)["ICHARG"] == 1


def _harvests(runs: Path) -> list[VaspHarvestDoc]:
    """Return what became of the densities of all runs, in the order of the runs."""
    files = sorted(runs.rglob(RECORD))
    return [VaspHarvestDoc.model_validate_json(file.read_bytes()) for file in files]


def test_finished_runs_are_taken_and_judge_a_model(runs: Path, silicon: Structure) -> None:
    from scdp_models.basis.shells import shell_charge
    from scdp_models.density.atomic import AtomicDensity, AtomicReference

    atom = AtomicDensity(4.0, (0.4,), (4.0 / float(shell_charge(0, 0.4)),))
    reference = AtomicReference("one Gaussian", {14: atom}).to_dict()
    judged = AtomicPredictor(reference=reference)
    plain = _small(StaticMaker())
    made = seed_vasp(harvest_vasp(plain, judged, tags=["mine"]), EarlierRunSource((str(runs),)))
    jobs = [plain.make(silicon), made.make(silicon)]
    outputs = [_execute(job, runs)[job.uuid][1].output for job in jobs]
    assert outputs[1].output.energy == pytest.approx(outputs[0].output.energy, abs=1e-8)
    assert outputs[1].model_dump().keys() == outputs[0].model_dump().keys()
    (doc,) = _harvests(runs)
    assert (doc.status, doc.was_seeded, doc.job_uuid) == ("taken", True, jobs[1].uuid)
    assert doc.nmae_percent["atomic"] > 0
    with open_stores() as stores:
        density = stores.densities.get(str(doc.density_id))
        assert {"harvested", "mine", f"job:{jobs[1].uuid}"} <= set(density.tags)
        assert harvest_records(stores).get(doc.harvest_id) == doc


@job
def _later(maker: Any, structure: Structure) -> Response[Any]:
    """Make the calculation only when this job runs."""
    return Response(replace=maker.make(structure))


def test_jobs_made_by_jobs_are_taken_and_a_broken_store_harms_none(
    runs: Path, silicon: Structure, tmp_path: Path
) -> None:
    broken = tmp_path / "no folder"
    broken.write_text("a file")
    unwritten = update_user_incar_settings(_small(StaticMaker()), {"LCHARG": False})
    flow = Flow(
        [
            harvest_vasp(_later(unwritten, silicon)),
            harvest_vasp(_small(StaticMaker()), store_path=str(broken)).make(silicon),
        ]
    )
    _execute(flow, runs)
    reasons = [str(doc.reason) for doc in _harvests(runs)]
    assert len(list(runs.rglob("OUTCAR*"))) == len(reasons) == 2
    assert "LCHARG = .FALSE." in reasons[0]
    assert "the process ended with status" in reasons[1]
