"""Define the document that says how good predictions are."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ErrorRow", "EvaluationDoc", "MetricSummary"]

_METRICS = (
    "nmae_percent",
    "coulomb_error_ha",
    "nmae_dm0_percent",
    "electron_error_e",
    "dipole_error_e_ang",
    "max_error_e_per_ang3",
    "spin_nmae_percent",
    "seconds",
)


class ErrorRow(ScdpPart):
    """Hold the errors of one predicted density against its label."""

    density_id: str = Field(description="Identifier of the label.")
    formula: str = Field(description="Formula in Hill order.")
    nmae_percent: float = Field(
        ge=0, description="Integral of |prediction - label| over the electron count, in %."
    )
    coulomb_error_ha: float | None = Field(
        default=None, description="Coulomb self-energy of the error, (d|d)/2, in Ha."
    )
    nmae_dm0_percent: float | None = Field(
        default=None, ge=0, description="NMAE in % after one diagonalisation."
    )
    electron_error_e: float = Field(description="Predicted less labelled electron count in e.")
    dipole_error_e_ang: float | None = Field(
        default=None, ge=0, description="Length of the difference of the dipoles in e·Å."
    )
    max_error_e_per_ang3: float = Field(ge=0, description="Largest error on the grid in e/Å^3.")
    nmae_by_element: dict[str, float] = Field(
        default_factory=dict, description="Share of the NMAE nearest to each element, in %."
    )
    seconds: float = Field(ge=0, description="Elapsed time of the prediction in s.")
    uncertainty_ha_per_atom: float | None = Field(
        default=None,
        description="Mean Coulomb distance of the models of an ensemble per atom, in Ha.",
    )
    spin_nmae_percent: float | None = Field(
        default=None,
        ge=0,
        description=(
            "Integral of the error of the spin density over that of its magnitude, in %; over the "
            "electron count where the label has no spin."
        ),
    )


class MetricSummary(ScdpPart):
    """Summarise one metric over the rows that have it."""

    mean: float = Field(description="Mean, in the unit of the metric.")
    median: float = Field(description="Median, in the unit of the metric.")
    max: float = Field(description="Largest magnitude, in the unit of the metric.")
    count: int = Field(ge=1, description="Number of rows that have the metric.")

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Self:
        """Summarise magnitudes: an electron missing and one in excess do not cancel."""
        sizes = [abs(value) for value in values]
        return cls(
            mean=statistics.fmean(sizes),
            median=statistics.median(sizes),
            max=max(sizes),
            count=len(sizes),
        )


class EvaluationDoc(ScdpDoc):
    """Hold the errors of one predictor on one split of a dataset."""

    doc_type: ClassVar[str] = "evaluation"
    id_field: ClassVar[str] = "evaluation_id"

    evaluation_id: str = Field(description="Hash of predictor, model, dataset, split and members.")
    predictor: str = Field(description="Name of the predictor.")
    model_id: str | None = Field(default=None, description="Model used, None if it needs none.")
    dataset_id: str | None = Field(default=None, description="Dataset that was evaluated on.")
    split: str | None = Field(default=None, description="Split that was evaluated on.")
    rows: list[ErrorRow] = Field(min_length=1, description="Errors per structure.")
    summary: dict[str, MetricSummary] = Field(
        description="Mean, median and largest magnitude of each metric."
    )

    @classmethod
    def make_id(
        cls,
        density_ids: Iterable[str],
        *,
        predictor: str,
        model_id: str | None,
        dataset_id: str | None,
        split: str | None,
    ) -> str:
        """Return the identifier of the evaluation of one predictor on some labels, in any order."""
        members = sorted(density_ids)
        return content_hash([predictor, model_id, dataset_id, split, members])[:24]

    @classmethod
    def from_rows(
        cls,
        rows: list[ErrorRow],
        *,
        predictor: str,
        model_id: str | None = None,
        dataset_id: str | None = None,
        split: str | None = None,
    ) -> Self:
        """Build the document; identifier and summary are computed.

        Raises
        ------
        ValueError
            If there is no row.
        """
        evaluation_id = cls.make_id(
            (row.density_id for row in rows),
            predictor=predictor,
            model_id=model_id,
            dataset_id=dataset_id,
            split=split,
        )
        return cls(
            evaluation_id=evaluation_id,
            predictor=predictor,
            model_id=model_id,
            dataset_id=dataset_id,
            split=split,
            rows=rows,
            summary=_summarise(rows),
        )


def _summarise(rows: list[ErrorRow]) -> dict[str, MetricSummary]:
    columns = {
        metric: [value for row in rows if (value := getattr(row, metric)) is not None]
        for metric in _METRICS
    }
    return {
        metric: MetricSummary.from_values(values) for metric, values in columns.items() if values
    }
