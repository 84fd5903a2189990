"""The pipeline goes through FireWorks and jobflow-remote, each job on the worker it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from monty.json import MontyEncoder
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.stores.factory import job_store, open_stores
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.engines import submit_flow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobflow import Flow

pytestmark = [pytest.mark.slow, pytest.mark.requires("pyscf")]

_CODE = PyscfCode(PyscfSettings(basis="gth-szv", spacing=0.2, padding=3.5, charge_tolerance=5e-3))
_NETWORK = {"n_layers": 1, "n_channels": 8, "lmax": 2, "n_radial": 4, "radial_hidden": 16}
_TRAINING = {"n_steps": 40, "steps_per_round": 20, "batch_size": 3, "warmup_steps": 5, "threads": 1}
_LENGTHS = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80]
_ON_GPU = {"train", "evaluate"}


def _pipeline(folder: Path) -> Flow:
    molecules = [Molecule(["H", "H"], np.diag([0.0, 0.0, one])[1:]) for one in _LENGTHS]
    maker = PipelineMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=_CODE, n_processes=1)),
        train_maker=TrainFlowMaker(
            dataset_maker=BuildDatasetMaker(n_processes=1, split=SplitRule(validation=0.2)),
            train_maker=TrainMaker(model_name="small", network=_NETWORK, training=_TRAINING),
            evaluate_maker=EvaluateMaker(n_processes=1),
        ),
        seed_maker=SeedMaker(code=_CODE, n_processes=1),
        report_maker=ReportMaker(folder=str(folder / "report")),
        store_path=str(folder / "store"),
    )
    return maker.make(molecules[::2], test_structures=molecules[1::2])


def _check_places(ran: dict[str, str]) -> None:
    """Check which worker ran which job."""
    for name, worker in ran.items():
        assert worker == ("gpu" if name in _ON_GPU else "cpu"), (name, worker)
    assert _ON_GPU <= set(ran)


def _check_results(folder: Path) -> None:
    with open_stores(folder / "store") as stores:
        assert stores.densities.count() == len(_LENGTHS)
        assert stores.models.get("small").history
        assert stores.reports.seeds.count() == len(_LENGTHS) // 2
        assert stores.reports.reports.count() == 1


@pytest.fixture
def launchpad(tmp_path: Path, mongo_port: int) -> Iterator[Any]:
    """Give an empty LaunchPad; ``launchpad.yaml`` describes it."""
    from fireworks import LaunchPad

    pad = LaunchPad(host="127.0.0.1", port=mongo_port, name=tmp_path.name, strm_lvl="ERROR")
    pad.reset("", require_password=False)
    pad.to_file(str(tmp_path / "launchpad.yaml"))
    yield pad
    pad.connection.close()


@pytest.mark.requires("fireworks")
def test_two_fireworkers_share_a_pipeline(
    tmp_path: Path, launchpad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import rapidfire

    engine = f"launchpad: {tmp_path}/launchpad.yaml\nengine: fireworks "
    cluster = Cluster.parse(TEMPLATE.replace("engine: remote ", engine))
    submit_flow(_pipeline(tmp_path), cluster, store=job_store(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    workers = [FWorker(name=name, category=name) for name in ("cpu", "gpu")]
    while launchpad.get_fw_ids({"state": "READY"}):
        for worker in workers:
            rapidfire(launchpad, worker, nlaunches=0, sleep_time=0, strm_lvl="ERROR")
    ran = [launchpad.get_fw_by_id(number) for number in launchpad.get_fw_ids()]
    assert {one.state for one in ran} == {"COMPLETED"}
    _check_places({one.name: one.launches[-1].fworker.name for one in ran})
    _check_results(tmp_path)


@pytest.mark.requires("jobflow_remote")
def test_two_workers_of_jobflow_remote_share_a_pipeline(
    tmp_path: Path, mongo_port: int, repository: Path
) -> None:
    # In a process of its own: jobflow-remote reads its settings once, and leaves connections open.
    drill = [sys.executable, str(repository / "tests" / "remote_drill.py")]
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps(_pipeline(tmp_path), cls=MontyEncoder))
    done = subprocess.run(
        [*drill, str(flow), str(mongo_port)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    assert {state for _, _, state, _ in rows} == {"COMPLETED"}, rows
    _check_places({name: worker for _, name, _, worker in rows})
    _check_results(tmp_path)
