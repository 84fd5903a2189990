"""Define the document that records how the calculations of a relaxation started."""

from __future__ import annotations

import statistics
from typing import ClassVar

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

__all__ = ["RelaxationDoc", "RelaxationStep"]


class RelaxationStep(ScdpPart):
    """Record the self-consistent calculation of one geometry."""

    start: str = Field(
        min_length=1, description="What it started from: 'default', 'prediction', 'corrected', …"
    )
    seed_used: bool = Field(description="Whether the result comes from that start.")
    fallback_reason: str | None = Field(
        default=None, description="Why a start was dropped, or was not there."
    )
    iterations: int = Field(ge=0, description="SCF cycles, those of a dropped start included.")
    fock_builds: int = Field(
        ge=0, description="Fock matrices built, the seed's and those of a dropped start included."
    )
    energy_ev: float = Field(description="Converged total energy in eV.")
    largest_force_ev_ang: float | None = Field(
        default=None, ge=0, description="Largest force on an atom in eV/Å."
    )
    largest_move_ang: float | None = Field(
        default=None, ge=0, description="Largest move of an atom since the last geometry in Å."
    )
    cpu_s: float = Field(
        ge=0, description="Processor time of the SCF with everything it starts from, s."
    )
    wall_s: float = Field(ge=0, description="Elapsed time of the same, s.")
    seed_cpu_s: float = Field(
        default=0.0, ge=0, description="Its part for prediction, first potential and fit, s."
    )
    gradient_cpu_s: float = Field(default=0.0, ge=0, description="Processor time of the forces, s.")
    unseeded_iterations: int | None = Field(
        default=None, ge=0, description="SCF cycles from the code's own guess, where checked."
    )
    energy_difference_ev: float | None = Field(
        default=None, description="Energy less that from the code's own guess, where checked, eV."
    )


class RelaxationDoc(ScdpDoc):
    """Record the starts of the calculations of one relaxation."""

    doc_type: ClassVar[str] = "relaxation"
    id_field: ClassVar[str] = "relaxation_id"

    relaxation_id: str = Field(
        description="Hash of structure, settings, how it is relaxed, predictor and model."
    )
    job_uuid: str | None = Field(default=None, description="Job that ran it, if one did.")
    job_index: int = Field(default=0, ge=0, description="Position in the batch of that job.")
    structure_hash: str = Field(description="Hash of the structure before the relaxation.")
    formula: str = Field(description="Formula in Hill order.")
    settings_hash: str = Field(description="Hash of the settings of calculation and starts.")
    kind_key: str = Field(description="Hash of the density kind of the calculation.")
    policy: str = Field(description="How starts were chosen.")
    predictor: str | None = Field(default=None, description="Predictor of densities.")
    model_id: str | None = Field(default=None, description="Model of that predictor.")
    converged: bool = Field(description="Whether the forces met the threshold.")
    steps: list[RelaxationStep] = Field(min_length=1, description="One record per geometry.")
    complete: bool = Field(
        default=True, description="Whether it ended by itself; false while it runs, or if it broke."
    )
    failure: str | None = Field(default=None, description="Why it broke off.")
    last_positions: list[tuple[float, float, float]] | None = Field(
        default=None, description="Positions at the last step in Å, where a further run goes on."
    )

    @classmethod
    def make_id(cls, structure_hash: str, settings_hash: str, model_id: str | None) -> str:
        """Return the identifier of a relaxation.

        Parameters
        ----------
        structure_hash, settings_hash, model_id
            As in the fields.
        """
        return content_hash([structure_hash, settings_hash, model_id])[:24]

    @property
    def mean_iterations(self) -> float:
        """Mean number of SCF cycles per geometry."""
        return statistics.fmean(step.iterations for step in self.steps)
