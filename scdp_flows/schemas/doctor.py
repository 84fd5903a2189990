"""Define what is known of a machine that runs jobs."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from scdp_flows.schemas.part import ScdpPart

__all__ = ["WORKS", "Check", "Examination", "Work"]

Work = Literal["light", "dft", "training", "prediction"]
"""Bookkeeping on one core; DFT on many; training; prediction of many structures."""

WORKS: tuple[Work, ...] = get_args(Work)


class Check(ScdpPart):
    """Say whether one thing works."""

    name: str = Field(description="What was tried.")
    ok: bool = Field(description="Whether it worked.")
    detail: str = Field(description="What was found, or what went wrong and what to do.")


class Examination(ScdpPart):
    """Say what works on one machine."""

    host: str = Field(description="Name of the machine.")
    work: str = Field(description="Kind of work that it was examined for.")
    checks: list[Check] = Field(description="What was tried, in this order.")
    examined_at: str | None = Field(default=None, description="When, ISO 8601 in UTC.")

    @property
    def healthy(self) -> bool:
        """Whether all of it worked."""
        return all(check.ok for check in self.checks)
