"""Define the document that says how a calculation of atomate2 was started and what became of it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from scdp_flows.schemas.run_start import RunOutcome, RunStartDoc

__all__ = ["RunSeedDoc"]


class RunSeedDoc(RunStartDoc):
    """Describe the start of one calculation: seeded, or left alone and why."""

    doc_type: ClassVar[str] = "run_seed"

    code: str = Field(description="The DFT code.")
    model_id: str | None = Field(default=None, description="Model that predicted it.")
    changes: dict[str, int] = Field(
        default_factory=dict, description="Input variables that were added, with their values."
    )
    cpu_s: float = Field(
        default=0.0, ge=0, description="Its processor time, programs included, in s."
    )
    audit: RunOutcome | None = Field(
        default=None, description="What the outputs tell; None before the run."
    )
