"""Turn labels into a judged model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker

from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobflow import OutputReference

    from scdp_flows.predictors.base import Predictor

__all__ = ["TrainFlowMaker"]


@dataclass
class TrainFlowMaker(Maker):
    """Make the flow that builds a dataset, trains a model and evaluates it on the test split."""

    name: str = "train a model"
    """Name of the flow."""
    dataset_maker: BuildDatasetMaker = field(default_factory=BuildDatasetMaker)
    """How labels become a dataset."""
    train_maker: TrainMaker = field(default_factory=TrainMaker)
    """How a model is trained."""
    second_maker: TrainMaker | None = None
    """How training goes on from the averaged weights of that model, such as
    ``train_maker.second_stage()``; None leaves that out."""
    evaluate_maker: EvaluateMaker | None = field(default_factory=EvaluateMaker)
    """How it is judged; None leaves that out."""
    predictor_name: str = "trained"
    """Name of the model in evaluations."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self,
        density_ids: Sequence[str] | OutputReference | None = None,
        *,
        test_ids: Sequence[str] | OutputReference | None = None,
        criteria: Mapping[str, Any] | None = None,
        predictors: Sequence[Predictor] = (),
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        density_ids
            Labels to train on and, unless test_ids are given, to test on.
        test_ids
            Labels that are for testing alone.
        criteria
            MongoDB query of the density store: what it finds is added.
        predictors
            Who else is evaluated.

        Returns
        -------
        Flow
            Its output is a dictionary of ``dataset_id``, ``model_id`` and ``evaluation_ids``.
        """
        dataset = self.dataset_maker.in_store(self.store_path).make(
            density_ids, test_ids=test_ids, criteria=criteria
        )
        train = self.train_maker.in_store(self.store_path).make(dataset.output.dataset_id)
        jobs: list[Flow | Job] = [dataset, train]
        if self.second_maker is not None:
            train = self.second_maker.in_store(self.store_path).make(
                dataset.output.dataset_id, start_from=train.output.model_id
            )
            jobs.append(train)
        output = {
            "dataset_id": dataset.output.dataset_id,
            "model_id": train.output.model_id,
            "evaluation_ids": [],
        }
        if self.evaluate_maker is not None:
            trained = self.trained(train.output.model_id)
            evaluate = self.evaluate_maker.in_store(self.store_path).make(
                [trained, *predictors], dataset_id=dataset.output.dataset_id
            )
            jobs.append(evaluate)
            output["evaluation_ids"] = evaluate.output.evaluation_ids
        return Flow(jobs, output=output, name=self.name)

    def trained(self, model: str | OutputReference) -> ScdpPredictor:
        """Return the predictor of the model that this flow trains.

        Parameters
        ----------
        model
            Its identifier, also as the output of a job.
        """
        maker = self.train_maker.in_store(self.store_path)
        return ScdpPredictor(model=model, store_path=maker.store_path, name=self.predictor_name)
