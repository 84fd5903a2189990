"""Define what is said alike of the starts of calculations that other workflows run."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.part import ScdpPart

__all__ = ["RunOutcome", "RunStartDoc"]


class RunOutcome(ScdpPart):
    """Say what the outputs of a run tell about its start."""

    seed_used: bool = Field(description="Whether the run really started from the given density.")
    why_not_used: str | None = Field(default=None, description="Why not, where it did not.")
    grid: tuple[int, int, int] | None = Field(
        default=None, description="Grid of the run: of VASP, NGXF, NGYF and NGZF."
    )
    scf_steps: list[int] = Field(
        default_factory=list, description="Electronic steps of each ionic step."
    )
    energy_ev: float | None = Field(
        default=None, description="Last energy, in eV: of VASP, with sigma to zero."
    )
    moment_mub: float | None = Field(default=None, description="Last total moment, in µB.")


class RunStartDoc(ScdpDoc):
    """Describe the start of one calculation: seeded, or left alone and why."""

    id_field: ClassVar[str] = "run_id"

    run_id: str = Field(description="Job uuid and index, or a hash of the inputs.")
    job_uuid: str | None = Field(default=None, description="Job that ran the calculation.")
    job_index: int | None = Field(default=None, ge=1, description="Index of that job.")
    job_name: str | None = Field(default=None, description="Name of that job.")
    formula: str = Field(description="Formula in Hill order.")
    n_atoms: int = Field(ge=1, description="Number of atoms.")
    structure_hash: str = Field(description="Hash of atoms, positions and cell.")
    status: Literal["seeded", "left"] = Field(description="Whether a start was written.")
    reason: str | None = Field(default=None, description="Why the calculation was left alone.")
    source: str = Field(description="Where the density comes from.")
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
    seconds: float = Field(default=0.0, ge=0, description="Elapsed time of the seed, in s.")

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.status == "left" and not self.reason:
            raise ValueError(f"run {self.run_id} was not seeded; state why in reason")
        return self
