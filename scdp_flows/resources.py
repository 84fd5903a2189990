"""Say what a step of a workflow needs, in words that no engine owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from monty.json import MSONable

from scdp_flows.errors import SettingsError

__all__ = ["WORKS", "Resources", "Work"]

Work = Literal["light", "dft", "training", "prediction"]
"""Bookkeeping on one core; DFT on many; training; prediction of many structures."""

WORKS: tuple[Work, ...] = get_args(Work)


@dataclass(frozen=True)
class Resources(MSONable):
    """Name the resources of one step.

    Raises
    ------
    SettingsError
        If a number is impossible.

    Examples
    --------
    >>> Resources(cores=8, wall_time_s=3600).gpus
    0
    """

    cores: int = 1
    """Number of processor cores."""
    gpus: int = 0
    """Number of accelerators."""
    memory_gb: float | None = None
    """Memory in GB; None: the engine's default."""
    wall_time_s: int | None = None
    """Longest run time in seconds; None: the engine's default."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        lowest = {"cores": 1, "gpus": 0, "memory_gb": 0, "wall_time_s": 1}
        for name, bound in lowest.items():
            value = getattr(self, name)
            if value is not None and not value >= bound:
                raise SettingsError(f"resources: {name}={value!r}; expected at least {bound}")
