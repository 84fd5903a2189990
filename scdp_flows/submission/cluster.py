"""Describe where on a cluster each kind of work is done."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from scdp_flows.errors import SettingsError
from scdp_flows.submission.work import WORKS, Work
from scdp_flows.yaml_text import parse_mapping, validated

__all__ = ["TEMPLATE", "Cluster", "Engine", "Placement"]

Engine = Literal["local", "remote", "fireworks"]
"""``run_locally``, jobflow-remote, FireWorks."""

TEMPLATE = """\
# Where scdp-flows sends its steps. `scdp submit flow.yaml --cluster cluster.yaml`
engine: remote              # remote (jobflow-remote), fireworks or local
project: scdp               # project of jobflow-remote; FireWorks: launchpad: my_launchpad.yaml
work:
  light:                    # bookkeeping: datasets, reports, ingestion
    worker: cpu             # worker of jobflow-remote, category of FireWorks
    queue: cpu              # partition of Slurm
    wall_time_s: 3600
  dft:                      # labels, restarts, and the jobs of other packages
    worker: cpu
    queue: cpu
    cores: 8
    wall_time_s: 86400
  training:
    worker: gpu
    queue: gpu
    cores: 4
    gpus: 1
    wall_time_s: 86400      # longer training goes on in further jobs
  prediction:
    worker: gpu
    queue: gpu
    cores: 4
    gpus: 1
    wall_time_s: 14400
"""
"""Configuration for a cluster with CPU and GPU workers, to be edited."""


class Placement(BaseModel):
    """Where one kind of work is done, and what it is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    worker: str | None = Field(
        default=None,
        description="Worker of jobflow-remote, which must be named; category of FireWorks, None: "
        "any.",
    )
    queue: str | None = Field(
        default=None,
        description="Queue, such as a partition of Slurm; None: a worker of jobflow-remote that "
        "runs jobs in a shell, which takes no resources.",
    )
    account: str | None = Field(default=None, description="Account that pays.")
    cores: PositiveInt = Field(default=1, description="Processor cores of one node.")
    gpus: NonNegativeInt = Field(default=0, description="Accelerators.")
    memory_gb: PositiveFloat | None = Field(default=None, description="Memory of a core, GB.")
    wall_time_s: PositiveInt | None = Field(default=None, description="Longest time, s.")
    exec_config: str | None = Field(
        default=None, description="Environment of that name in the project of jobflow-remote."
    )
    priority: int = Field(
        default=0, description="Higher is first. jobflow-remote has no 0; there it is 1."
    )


class Cluster(BaseModel):
    """Say which engine runs flows and where each kind of work is done.

    Examples
    --------
    >>> cluster = Cluster.parse(TEMPLATE)
    >>> cluster.work["training"].gpus
    1
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Engine = Field(default="local", description="What runs the flows.")
    project: str | None = Field(default=None, description="Project of jobflow-remote.")
    launchpad: Path | None = Field(
        default=None, description="LaunchPad file of FireWorks; None: its own default."
    )
    work: dict[Work, Placement] = Field(
        default_factory=dict, description="Kind of work → where it is done."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [work for work in WORKS if work not in self.work]
        if self.engine != "local" and missing:
            msg = (
                f"work lacks {', '.join(missing)}; say where each kind is done, in a file such as "
                "`scdp cluster-template` writes, and give it as --cluster"
            )
            raise ValueError(msg)
        nowhere = [work for work in WORKS if work in self.work and self.work[work].worker is None]
        if self.engine == "remote" and nowhere:
            msg = (
                f"work.{nowhere[0]} names no worker; jobflow-remote would send its jobs wherever "
                "the job ran that makes them: name a worker of the project for each kind"
            )
            raise ValueError(msg)
        return self

    @classmethod
    def parse(cls, text: str, *, source: str = "cluster") -> Self:
        """Read a description.

        Parameters
        ----------
        text
            YAML.
        source
            Name of it in errors.

        Raises
        ------
        SettingsError
            If it is no YAML, or a field is unknown, missing or impossible.
        """
        return validated(cls, parse_mapping(text, source=source), source=source)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a file.

        Raises
        ------
        SettingsError
            If it cannot be read, or as ``parse`` does.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path}: cannot be read ({error}); `scdp cluster-template` writes one to edit"
            ) from error
        return cls.parse(text, source=str(path))
