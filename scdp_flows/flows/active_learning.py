"""Label what a model is least certain of, train again, and so on until it is good enough."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker

from scdp_flows.errors import SettingsError
from scdp_flows.flows.batches import structure_batches
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.campaign import BeginCampaignMaker, NextRoundMaker
from scdp_flows.jobs.select import SelectMaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.jobs.train import TrainMaker
    from scdp_flows.schemas.active_learning import Campaign

__all__ = ["ActiveLearningMaker"]

# A structure of few atoms takes about 1 kB in a job, whose document must not exceed 16 MB.
_LARGEST_PART = 5_000


@dataclass
class ActiveLearningMaker(Maker):
    """Make the flow that chooses by itself which structures of a pool are labelled.

    Each round labels the chosen structures, trains an ensemble on all labels so far, evaluates it
    on the test structures, and chooses those on which the ensemble disagrees most. Rounds follow
    one another until the error is reached, or labels or pool are used up.

    Examples
    --------
    >>> from scdp_flows.demo.structures import load_ethanol
    >>> frames = load_ethanol(30)
    >>> flow = ActiveLearningMaker().make(frames[:20], frames[20:])
    >>> [job.name for job in flow.jobs]
    ['label structures', 'keep pool', 'begin']
    """

    name: str = "active learning"
    """Name of the flow."""
    label_maker: LabelFlowMaker = field(default_factory=LabelFlowMaker)
    """How structures are labelled."""
    begin_maker: BeginCampaignMaker = field(default_factory=BeginCampaignMaker)
    """How many structures the first round has."""
    dataset_maker: BuildDatasetMaker = field(default_factory=BuildDatasetMaker)
    """How labels become a dataset; its test structures are those of the campaign."""
    ensemble_maker: EnsembleTrainMaker = field(default_factory=EnsembleTrainMaker)
    """How models are trained and judged; it must have an ``evaluate_maker``."""
    later_maker: TrainMaker | None = None
    """How the models of later rounds are trained on from those of the round before, in place of the
    ensemble's Makers, such as one with fewer steps; None: from random weights, as in the first."""
    select_maker: SelectMaker = field(default_factory=SelectMaker)
    """How the structures of a round are chosen."""
    next_maker: NextRoundMaker = field(default_factory=NextRoundMaker)
    """When the campaign ends."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self, pool: Sequence[AtomicStructure], test_structures: Sequence[AtomicStructure]
    ) -> Flow:
        """Chain the first jobs; the others are made as the campaign goes on.

        Parameters
        ----------
        pool
            What may be labelled.
        test_structures
            What models are judged by; they are labelled first and never trained on.

        Returns
        -------
        Flow
            Its output is an :class:`scdp_flows.schemas.active_learning.ActiveLearningOutput`.

        Raises
        ------
        DatasetError
            If there are no test structures.
        SettingsError
            If the ensemble would not be evaluated.
        """
        if self.ensemble_maker.evaluate_maker is None:
            raise SettingsError("ensemble_maker has no evaluate_maker; give it one")
        labels = self._labels().make(test_structures)
        maker = self.begin_maker.in_store(self.store_path)
        parts = [maker.keep(part) for part in structure_batches(pool, _LARGEST_PART)]
        begin = maker.make(self, [part.output for part in parts], labels.output.density_ids)
        return Flow([labels, *parts, begin], output=begin.output, name=self.name)

    def make_round(self, campaign: Campaign, structures: Sequence[AtomicStructure]) -> Flow:
        """Chain the jobs of one round.

        Parameters
        ----------
        campaign
            Where it stands.
        structures
            What is labelled now.
        """
        labels = self._labels().make(structures, tags=[campaign.tag])
        dataset = self.dataset_maker.in_store(self.store_path).make(
            labels.output.density_ids,
            earlier_ids=campaign.density_ids,
            test_ids=campaign.test_ids,
        )
        maker = replace(self.ensemble_maker, store_path=self.store_path)
        earlier: list[str] = []
        if campaign.model_ids and self.later_maker is not None:
            maker = replace(maker, train_maker=self.later_maker, second_maker=None)
            earlier = campaign.model_ids
        ensemble = maker.make(dataset.output.dataset_id, start_from=earlier)
        models: Any = ensemble.output["model_ids"]
        evaluate: Any = ensemble.jobs[-1]
        select = self.select_maker.in_store(self.store_path).make(
            campaign.pool, maker.trained(models), taken=sorted(campaign.taken)
        )
        decide = replace(self.next_maker, predictor_name=maker.predictor_name)
        following = decide.in_store(self.store_path).make(
            self,
            campaign,
            evaluate.output,
            select.output,
            models,
            density_ids=labels.output.density_ids,
        )
        jobs: list[Flow | Job] = [labels, dataset, ensemble, select, following]
        return Flow(jobs, output=following.output, name=f"round {len(campaign.rounds)}")

    def _labels(self) -> LabelFlowMaker:
        return replace(self.label_maker, store_path=self.store_path or self.label_maker.store_path)
