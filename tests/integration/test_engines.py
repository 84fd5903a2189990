"""The pipeline goes through FireWorks and jobflow-remote, each job on the worker it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.stores.factory import job_store, open_stores
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.engines import states, submit_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobflow import Flow

    from scdp_flows.schemas.doctor import Work

pytestmark = [pytest.mark.slow, pytest.mark.requires("pyscf")]

_LENGTHS = [0.70, 0.72, 0.74, 0.76, 0.78, 0.80]
_ON_GPU = {"train", "evaluate"}
_QUEUE = """
_fw_name: CommonAdapter
_fw_q_type: SLURM
rocket_launch: {rlaunch} singleshot
"""


@pytest.fixture
def pipeline(tmp_path: Path, cheap_pipeline: Any) -> Flow:
    """Give a pipeline over six hydrogen molecules."""
    molecules = [Molecule(["H", "H"], np.diag([0.0, 0.0, one])[1:]) for one in _LENGTHS]
    maker = cheap_pipeline(tmp_path, n_steps=40, validation=0.2)
    flow: Flow = maker.make(molecules[::2], test_structures=molecules[1::2])
    return flow


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
    tmp_path: Path, pipeline: Flow, launchpad: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import rapidfire

    engine = f"launchpad: {tmp_path}/launchpad.yaml\nengine: fireworks "
    cluster = Cluster.parse(TEMPLATE.replace("engine: remote ", engine))
    submit_flow(pipeline, cluster, store=job_store(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    workers = [FWorker(name=name, category=name) for name in ("cpu", "gpu")]
    while launchpad.get_fw_ids({"state": "READY"}):
        for worker in workers:
            rapidfire(launchpad, worker, nlaunches=0, sleep_time=0, strm_lvl="ERROR")
    ran = [launchpad.get_fw_by_id(number) for number in launchpad.get_fw_ids()]
    assert {one.state for one in ran} == {"COMPLETED"}
    _check_places({one.name: one.launches[-1].fworker.name for one in ran})
    _check_results(tmp_path)


@pytest.mark.requires("fireworks", "slurm")
def test_fireworks_has_slurm_run_each_job_with_what_it_needs(
    tmp_path: Path, launchpad: Any, slurm: Any
) -> None:
    engine = f"launchpad: {tmp_path}/launchpad.yaml\nengine: fireworks "
    cluster = Cluster.parse(TEMPLATE.replace("engine: remote ", engine))
    places: dict[str, Work] = {"cpu": "dft", "gpu": "training"}
    before = len(slurm.records())
    for name, work in places.items():
        job = DoctorMaker(name=f"on {name}", work=work, store_path=str(tmp_path / "store")).make()
        submit_flow(job, cluster, store=job_store(tmp_path / "outputs"))
        _launch_in_queue(name, tmp_path, slurm.environment)
    deadline = time.monotonic() + 300
    while len(slurm.records()) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    ran = slurm.records()[before:]
    found = {(one["Name"], one["Partition"], one["ProcCnt"], one["JobState"]) for one in ran}
    assert found == {("on_cpu", "cpu", "8", "COMPLETED"), ("on_gpu", "gpu", "4", "COMPLETED")}
    assert {state for _, _, state, _ in states(cluster, 5)} == {"COMPLETED"}


def _launch_in_queue(name: str, folder: Path, environment: dict[str, str]) -> None:
    """Submit the next job of a category by ``qlaunch``."""
    programs = Path(sys.executable).parent
    files = f"-l {folder}/launchpad.yaml -w {folder}/{name}.yaml"
    queue = folder / f"{name}_queue.yaml"
    queue.write_text(_QUEUE.format(rlaunch=f"{programs}/rlaunch {files}"))
    (folder / f"{name}.yaml").write_text(f"name: {name}\ncategory: {name}\nquery: '{{}}'\n")
    command = [str(programs / "qlaunch"), *files.split(), "-q", str(queue), "-r", "singleshot"]
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True)


@pytest.mark.requires("jobflow_remote")
def test_two_workers_of_jobflow_remote_share_a_pipeline(
    tmp_path: Path, pipeline: Flow, run_remotely: Any
) -> None:
    rows = run_remotely(pipeline)
    _check_places({name: worker for _, name, _, worker in rows})
    _check_results(tmp_path)


@pytest.mark.requires("jobflow_remote", "slurm")
def test_two_partitions_of_slurm_share_a_pipeline(
    tmp_path: Path, pipeline: Flow, run_remotely: Any, slurm: Any
) -> None:
    before = len(slurm.records())
    rows = run_remotely(pipeline, "slurm", **slurm.environment)
    _check_results(tmp_path)
    ran = slurm.records()[before:]
    assert {one["JobState"] for one in ran} == {"COMPLETED"}
    assert len(ran) == len(rows)
    _check_places({one["Name"].replace("_", " "): one["Partition"] for one in ran})
    given = {(one["Name"], one["ProcCnt"]) for one in ran}
    assert {("label", "8"), ("train", "4"), ("report", "1")} <= given
    for worker, expected in (("cpu", {"none"}), ("gpu", {"0", "1"})):
        seen = {file.read_text().strip() for file in (tmp_path / worker).rglob("devices.txt")}
        assert seen
        assert seen <= expected
