"""Begin an active-learning campaign, and decide after each round whether it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import numpy as np
from jobflow import Flow, Maker, Response, job

from scdp_flows.errors import DatasetError, SettingsError
from scdp_flows.io.structures import as_arrays
from scdp_flows.jobs.base import StepMaker
from scdp_flows.schemas.active_learning import ActiveLearningOutput, Campaign, LearningRound
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.identity import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.schemas.active_learning import Selection, Stopped
    from scdp_flows.schemas.outputs import EvaluationOutput

__all__ = ["BeginCampaignMaker", "NextRoundMaker", "RoundMaker", "draw_first"]


class RoundMaker(Protocol):
    """What builds the flow of one round."""

    def make_round(self, campaign: Campaign, structures: Sequence[AtomicStructure]) -> Flow:
        """Label the chosen structures, train, evaluate, select and decide."""
        ...


@dataclass(kw_only=True)
class BeginCampaignMaker(StepMaker):
    """Make the jobs that keep the pool, and the one that starts the first round."""

    name: str = "begin"
    n_first: int = 8
    """Structures of the first round, drawn at random so that every element of the pool occurs."""
    seed: int = 0
    """Key of the draw."""
    tag: str = "active learning"
    """Beginning of the tag that the labels get; a hash of the pool follows."""

    @job(name="keep pool", output_schema=BlobReference)
    def keep(self, structures: Sequence[AtomicStructure]) -> BlobReference:
        """Store a part of the pool, which as a whole may be too large for the document of a job.

        Parameters
        ----------
        structures
            What may be labelled.

        Raises
        ------
        DatasetError
            If there is none.
        StoreError
            If they cannot be written.
        """
        with self.open_stores() as stores:
            return stores.curation.put_pool(structures).structures

    # Without output schema: a flow takes its place, and jobflow checks a reference by the schema.
    @job
    def make(
        self, rounds: Maker, pool: Sequence[BlobReference], test_ids: Sequence[str]
    ) -> Response[Any]:
        """Draw the first structures.

        Parameters
        ----------
        rounds
            Builds the flow of a round; see :class:`RoundMaker`.
        pool
            What may be labelled, in parts; see ``keep``.
        test_ids
            Labels that models are judged by.

        Raises
        ------
        DatasetError
            If the pool has fewer structures than the first round takes, or more elements than they
            can show.
        BlobError
            If the pool is not there or damaged.
        """
        with self.open_stores() as stores:
            structures = stores.curation.load_pool(pool)
        campaign = Campaign(
            pool=list(pool),
            test_ids=list(test_ids),
            tag=f"{self.tag} {content_hash([part.key for part in pool])[:8]} {uuid4().hex[:8]}",
            chosen=draw_first(structures, self.n_first, seed=self.seed),
        )
        return _started(rounds, campaign, structures)


def draw_first(pool: Sequence[AtomicStructure], n_first: int, *, seed: int) -> list[int]:
    """Draw the structures that a campaign begins with.

    A model knows the elements that it was trained on and no others, so that every element of the
    pool must occur: the first structures of a random order that bring a new one are taken, then
    the others in this order.

    Parameters
    ----------
    pool
        What may be drawn.
    n_first
        How many.
    seed
        Key of the order.

    Returns
    -------
    list of int
        Positions in the pool.

    Raises
    ------
    DatasetError
        If the pool has fewer structures, or so many structures are too few for its elements.
    """
    if len(pool) < n_first:
        raise DatasetError(
            f"the pool has {len(pool)} structures, the first round takes {n_first}; give more, or "
            "lower n_first"
        )
    order: list[int] = np.random.default_rng(seed).permutation(len(pool)).tolist()
    covering, seen = list[int](), set[int]()
    for index in order:
        elements = set(as_arrays(pool[index])[0].tolist())
        if elements - seen:
            covering.append(index)
            seen |= elements
    if len(covering) > n_first:
        raise DatasetError(
            f"the pool has {len(seen)} elements, and the first round takes {n_first} structures, "
            f"which do not show all of them; raise n_first to {len(covering)}"
        )
    return [*covering, *(index for index in order if index not in covering)][:n_first]


@dataclass(kw_only=True)
class NextRoundMaker(StepMaker):
    """Make the job that ends a campaign or starts its next round."""

    name: str = "next round"
    metric: str = "coulomb_error_ha"
    """Mean error on the test structures that is watched."""
    predictor_name: str = "ensemble"
    """Whose error that is; ``ActiveLearningMaker`` names its ensemble here."""
    target: float = 0.0
    """Error at which the campaign ends, in the unit of the metric."""
    max_labels: int = 64
    """Number of labels at which it ends, test structures not counted."""

    @job
    def make(
        self,
        rounds: Maker,
        campaign: Campaign,
        evaluation: EvaluationOutput,
        selection: Selection,
        model_ids: Sequence[str],
        *,
        density_ids: Sequence[str],
    ) -> ActiveLearningOutput | Response[Any]:
        """Note what the round has reached, and go on unless it is enough.

        Parameters
        ----------
        rounds
            Builds the flow of a round; see :class:`RoundMaker`.
        campaign
            Where the campaign stood before.
        evaluation
            How good the models of this round are.
        selection
            What would be labelled next.
        model_ids
            The models of this round.
        density_ids
            The labels of this round.

        Raises
        ------
        SettingsError
            If the metric is unknown.
        """
        metrics = dict(evaluation.summary[self.predictor_name])
        if self.metric not in metrics:
            known = ", ".join(sorted(metrics))
            raise SettingsError(f"metric is {self.metric!r}; the evaluation has {known}")
        done = LearningRound(
            n_labels=len(campaign.taken),
            metrics=metrics,
            chosen=list(campaign.chosen),
            density_ids=list(density_ids),
        )
        history = [*campaign.rounds, done]
        room = self.max_labels - done.n_labels
        stopped = self._reason(metrics[self.metric], room, selection)
        if stopped is not None:
            return ActiveLearningOutput(
                rounds=history,
                model_ids=list(model_ids),
                evaluation_ids=list(evaluation.evaluation_ids),
                stopped=stopped,
            )
        following = campaign.updated(
            rounds=history, chosen=selection.indices[:room], model_ids=list(model_ids)
        )
        with self.open_stores() as stores:
            pool = stores.curation.load_pool(following.pool)
        return _started(rounds, following, pool)

    def _reason(self, error: float, room: int, selection: Selection) -> Stopped | None:
        if error <= self.target:
            return "target"
        if room <= 0:
            return "budget"
        return None if selection.indices else "pool"


def _started(rounds: Maker, campaign: Campaign, pool: Sequence[AtomicStructure]) -> Response[Any]:
    builder: Any = rounds
    return Response(
        replace=builder.make_round(campaign, [pool[index] for index in campaign.chosen])
    )
