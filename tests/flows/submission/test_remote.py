"""jobflow-remote is told what a job needs."""

from __future__ import annotations

import pytest

from scdp_flows.submission.cluster import Placement
from scdp_flows.submission.remote import remote_words

pytestmark = pytest.mark.requires("jobflow_remote")

PLACE = Placement(
    worker="gpu", queue="a100", account="mine", cores=4, gpus=2, memory_gb=2.5, wall_time_s=5430
)


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
