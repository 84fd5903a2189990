"""jobflow-remote is told what a job needs."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyDecoder

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.submission.cluster import TEMPLATE, Cluster, Placement
from scdp_flows.submission.remote import _check_workers, remote_words
from scdp_flows.submission.work import WORKS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requires("jobflow_remote")

PLACE = Placement(
    worker="gpu", queue="a100", account="mine", cores=4, gpus=2, memory_gb=2.5, wall_time_s=5430
)

_PROJECT = """
name: scdp
workers:
  cpu: &worker {type: local, scheduler_type: slurm, work_dir: /runs}
  gpu: *worker
queue:
  store: {type: MongoStore, host: 127.0.0.1, port: 1, database: d, collection_name: jobs}
jobstore:
  docs_store: {type: MongoStore, host: 127.0.0.1, port: 1, database: d, collection_name: outputs}
"""
_SUBMIT = """
from scdp_flows.cli import app
app(["submit", "flow.yaml", "--cluster", "cluster.yaml"])
"""


def test_jobflow_remote_is_told_worker_and_resources() -> None:
    words = remote_words(PLACE)
    resources = words["resources"]
    assert words["worker"] == "gpu"
    assert (resources.queue_name, resources.gpus_per_job) == ("a100", 2)
    assert (resources.threads_per_process, resources.time_limit) == (4, 5430)
    assert resources.memory_per_thread == 2560


def test_a_child_takes_nothing_from_the_job_that_made_it() -> None:
    from jobflow_remote.jobs.data import get_initial_job_doc_dict
    from qtoolkit.io.shell import ShellIO

    child = DoctorMaker().make()
    child.config.manager_config = remote_words(Placement(worker="cpu"))
    # These of the parent are what jobflow-remote falls back on.
    parent: dict[str, Any] = {"worker": "gpu", "exec_config": "base_env", "priority": 7}
    resources = remote_words(PLACE)["resources"]
    found = get_initial_job_doc_dict(child, [], "1", resources=resources, **parent)
    assert (found["worker"], found["priority"]) == ("cpu", 1)
    assert not any(found["exec_config"].values())
    given = MontyDecoder().process_decoded(found["resources"])
    shell: Any = ShellIO
    assert "true" in shell().get_submission_script("true", given)


def test_a_script_for_slurm_asks_for_what_was_said() -> None:
    from qtoolkit.io.slurm import SlurmIO

    script = SlurmIO().get_submission_script("true", remote_words(PLACE)["resources"])
    for line in ("partition=a100", "gres=gpu:2", "cpus-per-task=4", "account=mine"):
        assert f"#SBATCH --{line}" in script
    assert "#SBATCH --time=0-1:30:30" in script


@pytest.mark.parametrize(("field", "name"), [("worker", "gpus"), ("exec_config", "modules")])
def test_workers_that_the_project_lacks_are_named_before_anything_is_submitted(
    field: str, name: str, tmp_path: Path
) -> None:
    # In a process of its own: jobflow-remote reads its settings once.
    projects = tmp_path / "projects"
    projects.mkdir()
    (projects / "scdp.yaml").write_text(_PROJECT)
    text = TEMPLATE.replace("worker: gpu", f"worker: gpu\n    {field}: {name}", 1)
    (tmp_path / "cluster.yaml").write_text(text.replace("worker: gpu\n    worker", "worker"))
    (tmp_path / "flow.yaml").write_text("maker: doctor\n")
    done = subprocess.run(
        [sys.executable, "-c", _SUBMIT],
        cwd=tmp_path,
        env={**os.environ, "JFREMOTE_PROJECTS_FOLDER": str(projects)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"work.training.{field} is '{name}', which project 'scdp' lacks" in done.stderr


@pytest.mark.parametrize(
    ("scheduler", "queue", "told"),
    [
        ("shell", "cpu", r"work\.light: worker 'cpu' runs jobs in a shell, .* no queue 'cpu'"),
        ("slurm", None, r"work\.light: worker 'cpu' submits to slurm, but no queue"),
    ],
    ids=["shell", "slurm"],
)
def test_a_queue_must_fit_its_worker(scheduler: str, queue: str | None, told: str) -> None:
    from jobflow_remote.config.base import LocalWorker

    worker = LocalWorker(type="local", scheduler_type=scheduler, work_dir="/runs")
    project: Any = SimpleNamespace(workers={"cpu": worker}, exec_config={}, name="scdp")
    placement = Placement(worker="cpu", queue=queue)
    cluster = Cluster(engine="remote", work=dict.fromkeys(WORKS, placement))
    with pytest.raises(SettingsError, match=told):
        _check_workers(cluster, project)
    other = placement.model_copy(update={"queue": None if queue else "cpu"})
    _check_workers(Cluster(engine="remote", work=dict.fromkeys(WORKS, other)), project)
