"""Define what an active-learning campaign chooses from and what its rounds leave behind."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.part import ScdpPart

__all__ = ["ActiveLearningOutput", "Campaign", "LearningRound", "PoolDoc", "Selection"]

Stopped = Literal["target", "budget", "pool"]


class PoolDoc(ScdpDoc):
    """Say that structures are needed: without a document their blob would count as garbage."""

    doc_type: ClassVar[str] = "pool"
    id_field: ClassVar[str] = "pool_id"

    pool_id: str = Field(pattern="^[0-9a-f]{64}$", description="sha256 of the structures.")
    structures: BlobReference = Field(description="JSON list of the structures, in their order.")
    n_structures: int = Field(ge=1, description="How many they are.")


class Selection(ScdpPart):
    """Say which structures of a pool are worth a label."""

    indices: list[int] = Field(description="Positions in the pool, the most uncertain first.")
    uncertainties_ha_per_atom: list[float] = Field(
        default_factory=list, description="Of the chosen ones, Ha; empty where chosen at random."
    )
    mean_ha_per_atom: float | None = Field(
        default=None, description="Mean uncertainty of all that could have been chosen, Ha."
    )
    n_refused: int = Field(default=0, ge=0, description="Structures that cannot be predicted.")


class LearningRound(ScdpPart):
    """Say what one round cost and reached."""

    n_labels: int = Field(ge=0, description="Structures labelled so far, test structures not.")
    metrics: dict[str, float] = Field(
        description="Mean errors of the ensemble on the test structures; names end in units."
    )
    chosen: list[int] = Field(description="Positions in the pool, labelled for this round.")
    density_ids: list[str] = Field(default_factory=list, description="Labels of this round.")


class Campaign(ScdpPart):
    """Say where a campaign stands; it is handed from round to round."""

    pool: list[BlobReference] = Field(description="The structures to choose from, in parts.")
    test_ids: list[str] = Field(description="Labels that models are judged by.")
    tag: str = Field(description="Tag that the labels get, for people.")
    rounds: list[LearningRound] = Field(default_factory=list, description="What is done.")
    chosen: list[int] = Field(description="Positions in the pool that are labelled next.")
    model_ids: list[str] = Field(
        default_factory=list, description="Models of the round before; none before the first."
    )

    @property
    def density_ids(self) -> list[str]:
        """The labels of the rounds that are done."""
        return [density_id for one in self.rounds for density_id in one.density_ids]

    @property
    def taken(self) -> set[int]:
        """Positions that are labelled or will be next."""
        return {index for one in self.rounds for index in one.chosen} | set(self.chosen)


class ActiveLearningOutput(ScdpPart):
    """Say what a campaign reached."""

    rounds: list[LearningRound] = Field(description="Errors and labels, round by round.")
    model_ids: list[str] = Field(description="Models of the last ensemble.")
    evaluation_ids: list[str] = Field(description="Evaluations of the last round.")
    stopped: Stopped = Field(description="Why it ended: error reached, labels or pool used up.")
