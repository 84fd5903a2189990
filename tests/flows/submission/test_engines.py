"""Flows are put into the queues of engines in their own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.submission.cluster import TEMPLATE, Cluster, Placement
from scdp_flows.submission.engines import states, submit_flow
from scdp_flows.submission.fireworks import fireworks_words
from scdp_flows.submission.remote import remote_words

if TYPE_CHECKING:
    from pathlib import Path

PLACE = Placement(
    worker="gpu", queue="a100", account="mine", cores=4, gpus=2, memory_gb=2.5, wall_time_s=5430
)


def test_fireworks_is_told_category_and_batch_script() -> None:
    words = fireworks_words(PLACE)
    assert words["_category"] == "gpu"
    assert words["_queueadapter"] == {
        "queue": "a100",
        "account": "mine",
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": 4,
        "gres": "gpu:2",
        "mem_per_cpu": "2.5G",
        "walltime": "01:31:00",
    }
    assert "_category" not in fireworks_words(Placement())


@pytest.mark.requires("jobflow_remote")
def test_jobflow_remote_is_told_worker_and_resources() -> None:
    words = remote_words(PLACE)
    resources = words["resources"]
    assert words["worker"] == "gpu"
    assert (resources.queue_name, resources.gpus_per_job) == ("a100", 2)
    assert (resources.threads_per_process, resources.time_limit) == (4, 5430)
    assert resources.memory_per_thread == 2560
    assert remote_words(Placement()) == {"priority": 0}


@pytest.mark.requires("jobflow_remote")
def test_a_script_for_slurm_asks_for_what_was_said() -> None:
    from qtoolkit.io.slurm import SlurmIO

    script = SlurmIO().get_submission_script("true", remote_words(PLACE)["resources"])
    for line in ("partition=a100", "gres=gpu:2", "cpus-per-task=4", "account=mine"):
        assert f"#SBATCH --{line}" in script
    assert "#SBATCH --time=0-1:30:30" in script


def test_the_local_engine_keeps_nothing() -> None:
    with pytest.raises(SettingsError, match="'local' runs flows at once"):
        states(Cluster(), 1)


def test_another_engine_needs_all_places() -> None:
    cluster = Cluster().model_copy(update={"engine": "fireworks"})
    with pytest.raises(SettingsError, match="work lacks light"):
        submit_flow(DoctorMaker().make(), cluster)


@pytest.fixture
def launchpad(tmp_path: Path, mongo_port: int) -> Path:
    """Give the file of an empty LaunchPad."""
    from fireworks import LaunchPad

    pad = LaunchPad(host="127.0.0.1", port=mongo_port, name=tmp_path.name)
    pad.reset("", require_password=False)
    pad.to_file(str(tmp_path / "launchpad.yaml"))
    pad.connection.close()
    return tmp_path / "launchpad.yaml"


@pytest.mark.requires("fireworks")
def test_fireworks_takes_a_flow_and_tells_its_states(launchpad: Path) -> None:
    text = TEMPLATE.replace("engine: remote ", f"launchpad: {launchpad}\nengine: fireworks ")
    cluster = Cluster.parse(text)
    (number,) = submit_flow(DoctorMaker().make(), cluster)
    assert states(cluster, 5) == [(number, "doctor", "READY", "cpu")]


@pytest.mark.requires("fireworks")
def test_a_missing_launchpad_is_named(tmp_path: Path) -> None:
    cluster = Cluster.parse(TEMPLATE.replace("engine: remote ", "engine: fireworks "))
    missing: Any = cluster.model_copy(update={"launchpad": tmp_path / "none.yaml"})
    with pytest.raises(SettingsError, match=r"none\.yaml is no file"):
        submit_flow(DoctorMaker().make(), missing)
