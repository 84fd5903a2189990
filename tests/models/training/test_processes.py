"""A run finds the processes that share it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.fabric.plugins.environments import LightningEnvironment

from scdp_models.errors import TrainingError
from scdp_models.training.config import TrainingConfig
from scdp_models.training.processes import SlurmStep, find_processes

_STEP = {
    "SLURM_JOB_ID": "20007",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "node[7-8]",
    "SLURM_PROCID": "4",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}
_TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Start from an environment without batch system, and give a function that sets variables."""
    for name in (*_STEP, *_TORCHRUN, "SLURM_NTASKS", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)

    def change(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return change


@pytest.fixture
def eight_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that there are eight."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"batch_size": 32}, 8),
        ({"batch_size": 32, "devices": 2}, 2),
        ({"batch_size": 6}, 6),
        ({"batch_size": 6, "accumulate": 2}, 3),
        ({"batch_size": 32, "accelerator": "cpu"}, 1),
        ({"batch_size": 32, "accelerator": "cpu", "devices": 2}, 2),
    ],
)
def test_one_job_uses_all_accelerators_of_its_node(
    settings: dict[str, Any], expected: int, eight_gpus: None
) -> None:
    found = find_processes(TrainingConfig(**settings))
    assert (found.total, found.n_nodes) == (expected, 1)


def test_without_accelerators_there_is_one_process() -> None:
    assert find_processes(TrainingConfig(batch_size=32)).total == 1


def test_a_batch_job_of_one_task_starts_its_own_processes(
    environment: Any, eight_gpus: None
) -> None:
    environment({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"})
    found = find_processes(TrainingConfig(batch_size=8))
    assert isinstance(found.environment, LightningEnvironment)
    assert found.total == 8


def test_tasks_of_a_step_are_the_processes(environment: Any) -> None:
    environment(_STEP)
    found = find_processes(TrainingConfig(batch_size=32))
    assert (found.per_node, found.n_nodes) == (3, 2)
    step = found.environment
    assert isinstance(step, SlurmStep)
    assert step.creates_processes_externally
    assert (step.global_rank(), step.local_rank(), step.node_rank()) == (4, 1, 1)
    assert (step.main_address, step.main_port) == ("node7", 20009)
    environment({"SLURM_STEP_NUM_NODES": "1", "MASTER_PORT": "5"})
    assert (step.main_address, step.main_port) == ("127.0.0.1", 5)


def test_torchrun_says_how_many(environment: Any) -> None:
    environment(_TORCHRUN)
    found = find_processes(TrainingConfig(batch_size=4, devices=4))
    assert (found.per_node, found.n_nodes) == (2, 2)


@pytest.mark.parametrize(
    ("variables", "settings", "message"),
    [
        (_STEP, {"devices": 2}, "6 processes were started by srun or torchrun"),
        ({**_STEP, "SLURM_STEP_NUM_TASKS": "5"}, {}, "not equally many on each node"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(
    environment: Any, variables: dict[str, str], settings: dict[str, Any], message: str
) -> None:
    environment(variables)
    with pytest.raises(TrainingError, match=message):
        find_processes(TrainingConfig(batch_size=32, **settings))
