"""Define the document that says what became of the density of a finished VASP run."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.base import ScdpDoc

__all__ = ["VaspHarvestDoc"]


class VaspHarvestDoc(ScdpDoc):
    """Say whether the density of a run was taken, and how well models foresaw it."""

    doc_type: ClassVar[str] = "vasp_harvest"
    id_field: ClassVar[str] = "harvest_id"

    harvest_id: str = Field(description="Hash of job or folder and of what became of it.")
    source: str = Field(description="The last two folders of the run.")
    job_uuid: str | None = Field(default=None, description="Job that ran the calculation.")
    job_index: int | None = Field(default=None, ge=1, description="Index of that job.")
    job_name: str | None = Field(default=None, description="Name of that job.")
    status: Literal["taken", "left"] = Field(description="Whether its density is in the store.")
    reason: str | None = Field(default=None, description="Why its density was not taken.")
    density_id: str | None = Field(default=None, description="The density.")
    is_new: bool = Field(default=False, description="Whether it was not in the store before.")
    was_seeded: bool = Field(
        default=False, description="Whether the run was given a density to start from."
    )
    nmae_percent: dict[str, float] = Field(
        default_factory=dict, description="NMAE by name of the predictor, in %."
    )
    model_ids: dict[str, str | None] = Field(
        default_factory=dict, description="Model by name of the predictor; None if it needs none."
    )
    evaluation_ids: dict[str, str] = Field(
        default_factory=dict, description="Evaluation by name of the predictor."
    )
    problems: list[str] = Field(
        default_factory=list, description="Why a predictor could not be judged."
    )
    seconds: float = Field(default=0.0, ge=0, description="Elapsed time of all this, in s.")

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if (self.density_id is None) != (self.status == "left"):
            raise ValueError(f"run {self.source}: status {self.status!r} and its density disagree")
        if self.status == "left" and not self.reason:
            raise ValueError(f"the density of {self.source} was not taken; state why in reason")
        return self
