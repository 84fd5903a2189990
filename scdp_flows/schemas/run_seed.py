"""Define the document that says how a calculation of atomate2 was started and what became of it."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.part import ScdpPart

__all__ = ["RunAudit", "RunSeedDoc"]


class RunAudit(ScdpPart):
    """Say what the outputs of a run tell about its start."""

    seed_used: bool = Field(description="Whether the run really started from the given density.")
    why_not_used: str | None = Field(default=None, description="Why not, where it did not.")
    grid: tuple[int, int, int] | None = Field(default=None, description="Grid of the run.")
    scf_steps: list[int] = Field(
        default_factory=list, description="Electronic steps of each ionic step."
    )
    energy_ev: float | None = Field(default=None, description="Last energy, in eV.")
    moment_mub: float | None = Field(default=None, description="Last total moment, in µB.")


class RunSeedDoc(ScdpDoc):
    """Describe the start of one calculation: seeded, or left alone and why."""

    doc_type: ClassVar[str] = "run_seed"
    id_field: ClassVar[str] = "run_id"

    run_id: str = Field(description="Job uuid and index, or a hash of the inputs.")
    job_uuid: str | None = Field(default=None, description="Job that ran the calculation.")
    job_index: int | None = Field(default=None, ge=1, description="Index of that job.")
    job_name: str | None = Field(default=None, description="Name of that job.")
    code: str = Field(description="The DFT code.")
    formula: str = Field(description="Formula in Hill order.")
    n_atoms: int = Field(ge=1, description="Number of atoms.")
    structure_hash: str = Field(description="Hash of atoms, positions and cell.")
    status: Literal["seeded", "left"] = Field(description="Whether a start was written.")
    reason: str | None = Field(default=None, description="Why the calculation was left alone.")
    source: str = Field(description="Where the density comes from.")
    model_id: str | None = Field(default=None, description="Model that predicted it.")
    ispin: int = Field(default=1, ge=1, le=2, description="1 without, 2 with spin.")
    grid: tuple[int, int, int] | None = Field(
        default=None, description="Grid of the written density."
    )
    n_electrons: float | None = Field(default=None, description="Integral of the density.")
    excess_electrons: float | None = Field(
        default=None, description="Electrons by which the source was off before it was corrected."
    )
    magnetization: Literal["none", "source", "atoms"] = Field(
        default="none", description="Where the written magnetisation comes from."
    )
    changes: dict[str, int] = Field(
        default_factory=dict, description="Input variables that were added, with their values."
    )
    seconds: float = Field(default=0.0, ge=0, description="Elapsed time of the seed, in s.")
    cpu_s: float = Field(
        default=0.0, ge=0, description="Its processor time, programs included, in s."
    )
    audit: RunAudit | None = Field(
        default=None, description="What the outputs tell; None before the run."
    )

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.status == "left" and not self.reason:
            raise ValueError(f"run {self.run_id} was not seeded; state why in reason")
        return self
