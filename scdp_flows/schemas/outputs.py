"""Define the small documents that jobs hand to the next job."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from scdp_flows.schemas.part import ScdpPart

__all__ = [
    "MAX_LISTED",
    "EvaluationOutput",
    "LabelOutput",
    "PredictedRow",
    "PredictionOutput",
    "Refusal",
    "SeedOutput",
]


MAX_LISTED = 1000
"""Most items that an output describes one by one: documents stay small, however large a batch."""


class Refusal(ScdpPart):
    """Say why one item of a batch has no result."""

    index: int = Field(ge=0, description="Position in the batch.")
    item: str = Field(description="What it was: a formula or a file.")
    error: str = Field(description="Class of the error, such as 'StructureError'.")
    reason: str = Field(description="What was found, what was expected and what to do.")

    @classmethod
    def from_error(cls, index: int, item: str, error: Exception) -> Self:
        """Describe an error."""
        return cls(index=index, item=item, error=type(error).__name__, reason=str(error))


class _BatchOutput(ScdpPart):
    """Say what has no result in a batch."""

    failed: list[Refusal] = Field(
        default_factory=list,
        description="What has no result, and why; in the order of the batch, the first 1000.",
    )
    n_failed: int = Field(default=0, ge=0, description="How many have no result.")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, fields: Any) -> Any:
        """Count before the list is cut."""
        return _counted(fields, "failed", "n_failed")


def _counted(fields: Any, name: str, count: str) -> Any:
    """Cut a list, and note its length where that is not given."""
    if not isinstance(fields, dict):
        return fields
    items = fields.get(name, ())
    return {**fields, name: list(items[:MAX_LISTED]), count: fields.get(count) or len(items)}


class LabelOutput(_BatchOutput):
    """Say what became of a batch of structures or files."""

    density_ids: list[str] = Field(
        description="Identifiers of the stored densities, each once, in the order of the batch."
    )
    n_items: int = Field(default=0, ge=0, description="Structures or files in the batch.")
    n_new: int = Field(default=0, ge=0, description="Densities that were made now.")
    n_reused: int = Field(default=0, ge=0, description="Densities that were there before.")
    n_quarantined: int = Field(
        default=0, ge=0, description="Those that failed since they look wrong, not for an error."
    )
    seconds: float = Field(default=0.0, ge=0, description="Elapsed time of the batch in s.")


class PredictedRow(ScdpPart):
    """Summarise one prediction."""

    prediction_id: str = Field(description="Identifier of the stored document.")
    name: str = Field(description="Name of the structure.")
    formula: str = Field(description="Formula in Hill order.")
    n_electrons: float = Field(description="Electrons of the prediction in e.")
    dipole_e_ang: float | None = Field(
        default=None, ge=0, description="Length of the electric dipole moment in e·Å; molecules."
    )
    uncertainty_ha_per_atom: float | None = Field(
        default=None,
        ge=0,
        description="Mean Coulomb distance of the models of an ensemble per atom, in Ha.",
    )
    seconds: float = Field(ge=0, description="Elapsed time of the prediction in s.")
    files: list[str] = Field(default_factory=list, description="Files written, absolute paths.")


class PredictionOutput(_BatchOutput):
    """Say what a batch of predictions made."""

    rows: list[PredictedRow] = Field(
        description="Predictions, in the order of the structures, the first 1000; all are found in "
        "the store by model_id."
    )
    n_predicted: int = Field(default=0, ge=0, description="How many were predicted.")

    @model_validator(mode="before")
    @classmethod
    def _bounded_rows(cls, fields: Any) -> Any:
        """Count before the list is cut."""
        return _counted(fields, "rows", "n_predicted")

    @property
    def prediction_ids(self) -> list[str]:
        """Identifiers of the listed predictions, in the order of the structures."""
        return [row.prediction_id for row in self.rows]


class EvaluationOutput(ScdpPart):
    """Point to evaluations and give their main numbers."""

    evaluation_ids: list[str] = Field(description="Identifiers, one per predictor.")
    summary: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="Mean of each metric by predictor; the names end in their units.",
    )


class SeedOutput(_BatchOutput):
    """Point to seed comparisons and give their main numbers."""

    seed_ids: list[str] = Field(description="Identifiers, in the order of the structures.")
    mean_iterations: dict[str, float] = Field(
        default_factory=dict, description="Mean number of SCF iterations by start."
    )
    n_new: int = Field(default=0, ge=0, description="Comparisons that were made now.")
    n_reused: int = Field(default=0, ge=0, description="Comparisons that were there before.")
