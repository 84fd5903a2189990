"""Define the document that ranks predictors on one part of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

__all__ = ["LeaderboardDoc", "LeaderboardRow"]


class LeaderboardRow(ScdpPart):
    """Hold the mean errors of one predictor."""

    rank: int = Field(ge=1, description="Place by mean NMAE, the best first.")
    predictor: str = Field(description="Name of the predictor.")
    model_id: str | None = Field(default=None, description="Model used, None if it needs none.")
    evaluation_id: str = Field(description="The evaluation.")
    means: dict[str, float] = Field(
        description="Mean magnitude of each metric; the names end in their units."
    )


class LeaderboardDoc(ScdpDoc):
    """Rank the predictors that were judged on exactly the same labels."""

    doc_type: ClassVar[str] = "leaderboard"
    id_field: ClassVar[str] = "leaderboard_id"

    leaderboard_id: str = Field(description="Hash of dataset, part and labels; see make_id.")
    dataset_id: str | None = Field(default=None, description="Dataset that was evaluated on.")
    split: str | None = Field(default=None, description="Part of the dataset.")
    n_structures: int = Field(ge=1, description="Labels that every row was judged on.")
    rows: list[LeaderboardRow] = Field(min_length=1, description="Predictors, the best first.")

    @staticmethod
    def make_id(dataset_id: str | None, split: str | None, density_ids: Iterable[str]) -> str:
        """Return the identifier of a comparison, which does not depend on the order of labels."""
        return content_hash([dataset_id, split, sorted(density_ids)])[:24]
