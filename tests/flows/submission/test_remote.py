"""jobflow-remote is told what a job needs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scdp_flows.submission.cluster import TEMPLATE, Placement
from scdp_flows.submission.remote import remote_words

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
    assert remote_words(Placement()) == {"priority": 0}


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
