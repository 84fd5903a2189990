"""Which processes share a run: those that srun or torchrun have started, or Lightning's own.

Lightning by itself takes every batch job of Slurm for one that srun has started, and then refuses
to start processes for the accelerators of a job with one task. Here only a step of several tasks
counts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from scdp_models.training.config import TrainingConfig

__all__ = ["Processes", "SlurmStep", "find_processes"]

_FIRST_PORT, _N_PORTS = 15_000, 15_000


class SlurmStep(ClusterEnvironment):
    """The processes of one step of a job, as ``srun`` starts them: one for each task."""

    @property
    def creates_processes_externally(self) -> bool:
        """Whether somebody else has started them: yes."""
        return True

    @property
    def main_address(self) -> str:
        """Host of the first process; ``MASTER_ADDR`` overrides it."""
        nodes = os.environ.get("SLURM_STEP_NODELIST", "127.0.0.1")
        alone = os.environ.get("SLURM_STEP_NUM_NODES", "1") == "1"
        first = "127.0.0.1" if alone else SLURMEnvironment.resolve_root_node_address(nodes)
        return os.environ.get("MASTER_ADDR", first)

    @property
    def main_port(self) -> int:
        """Port of the first process, the same for all of a step; ``MASTER_PORT`` overrides it."""
        numbers = (int(os.environ.get(f"SLURM_{name}_ID", "0")) for name in ("JOB", "STEP"))
        port = _FIRST_PORT + sum(numbers) % _N_PORTS
        return int(os.environ.get("MASTER_PORT", str(port)))

    @staticmethod
    def detect() -> bool:
        """Tell whether this process is one of several."""
        return int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1

    def world_size(self) -> int:
        """Return how many processes there are."""
        return int(os.environ["SLURM_STEP_NUM_TASKS"])

    def set_world_size(self, size: int) -> None:
        """Do nothing: it is given."""

    def global_rank(self) -> int:
        """Return the number of this process."""
        return int(os.environ["SLURM_PROCID"])

    def set_global_rank(self, rank: int) -> None:
        """Do nothing: it is given."""

    def local_rank(self) -> int:
        """Return its number on its node."""
        return int(os.environ["SLURM_LOCALID"])

    def node_rank(self) -> int:
        """Return the number of its node."""
        return int(os.environ["SLURM_NODEID"])


@dataclass(frozen=True)
class Processes:
    """How many processes share a run, and who starts them."""

    environment: ClusterEnvironment
    """What tells each process which one it is."""
    per_node: int = 1
    n_nodes: int = 1

    @property
    def total(self) -> int:
        """Number of processes on all nodes."""
        return self.per_node * self.n_nodes


def find_processes(config: TrainingConfig) -> Processes:
    """Return which processes share a run.

    Parameters
    ----------
    config
        With ``devices=None`` there is a process for each accelerator that can be seen (but no more
        than a batch has structures for), or one where there is none.

    Raises
    ------
    TrainingError
        If srun or torchrun have started another number of processes than ``devices``, or not
        equally many on each node.
    """
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return _launched(TorchElasticEnvironment(), local, config)
    if SlurmStep.detect():
        n_nodes = int(os.environ.get("SLURM_STEP_NUM_NODES", "1"))
        return _launched(SlurmStep(), -(-SlurmStep().world_size() // n_nodes), config)
    wanted = config.devices
    if wanted is None:
        wanted = max(1, min(_n_accelerators(config), config.batch_size // config.accumulate))
    return Processes(LightningEnvironment(), wanted)


def _launched(environment: ClusterEnvironment, per_node: int, config: TrainingConfig) -> Processes:
    total = environment.world_size()
    if total % per_node:
        msg = (
            f"{total} processes were started, and not equally many on each node; start as many on "
            "each (srun --ntasks-per-node, torchrun --nproc-per-node)"
        )
        raise TrainingError(msg)
    if config.devices not in (None, total):
        msg = (
            f"{total} processes were started by srun or torchrun, and training setting devices is "
            f"{config.devices}; leave it out, or start as many"
        )
        raise TrainingError(msg)
    return Processes(environment, per_node, total // per_node)


def _n_accelerators(config: TrainingConfig) -> int:
    if config.accelerator == "cpu" or not torch.cuda.is_available():
        return 1
    return torch.cuda.device_count()
