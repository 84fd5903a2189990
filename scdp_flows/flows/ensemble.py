"""Train several models that differ in their seed, whose disagreement says how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.ensemble import EnsemblePredictor
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import OutputReference

    from scdp_flows.predictors.base import Predictor

__all__ = ["EnsembleTrainMaker"]


@dataclass
class EnsembleTrainMaker(Maker):
    """Make the flow that trains an ensemble and evaluates it on the test split.

    The models are trained by jobs that do not wait for one another.

    Examples
    --------
    >>> flow = EnsembleTrainMaker(n_models=3).make("my dataset")
    >>> [job.name for job in flow.jobs]
    ['train 0', 'train 1', 'train 2', 'evaluate']
    """

    name: str = "train an ensemble"
    """Name of the flow."""
    train_maker: TrainMaker = field(default_factory=TrainMaker)
    """How each model is trained; the first has the seed given here, the next one more, and so on.
    They are called like the model of this Maker, with a hyphen and a number."""
    second_maker: TrainMaker | None = None
    """How training goes on from each, such as ``train_maker.second_stage()``; None: not."""
    n_models: int = 4
    """How many models."""
    evaluate_maker: EvaluateMaker | None = field(default_factory=EvaluateMaker)
    """How the ensemble and its first model are judged; None leaves that out."""
    predictor_name: str = "ensemble"
    """Name of the ensemble in evaluations."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self,
        dataset_id: str | OutputReference,
        *,
        predictors: Sequence[Predictor] = (),
        start_from: Sequence[str] = (),
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        dataset_id
            Identifier or name of the dataset, also as the output of a job.
        predictors
            Who else is evaluated.
        start_from
            Models that training starts from, one for each; none: random weights.

        Returns
        -------
        Flow
            Its output is a dictionary of ``model_ids`` and ``evaluation_ids``.

        Raises
        ------
        SettingsError
            If there are fewer than two models, or not one to start from for each.
        """
        if self.n_models < 2:
            raise SettingsError(f"n_models is {self.n_models}; an ensemble needs at least two")
        if start_from and len(start_from) != self.n_models:
            raise SettingsError(
                f"start_from names {len(start_from)} models, n_models is {self.n_models}; give one "
                "for each, or none"
            )
        jobs: list[Flow | Job] = []
        models: list[Any] = []
        for number in range(self.n_models):
            model: Any = start_from[number] if start_from else None
            for maker in (self.train_maker, self.second_maker):
                if maker is not None:
                    train = self._numbered(maker, number).make(dataset_id, start_from=model)
                    jobs.append(train)
                    model = train.output.model_id
            models.append(model)
        output: dict[str, Any] = {"model_ids": models, "evaluation_ids": []}
        if self.evaluate_maker is not None:
            store = self._store()
            first = ScdpPredictor(model=models[0], store_path=store, name="first of the ensemble")
            evaluate = self.evaluate_maker.in_store(self.store_path).make(
                [self.trained(models), first, *predictors], dataset_id=dataset_id
            )
            jobs.append(evaluate)
            output["evaluation_ids"] = evaluate.output.evaluation_ids
        return Flow(jobs, output=output, name=self.name)

    def trained(self, models: Sequence[str | OutputReference]) -> EnsemblePredictor:
        """Return the predictor of the models that this flow trains.

        Parameters
        ----------
        models
            Their identifiers, also as outputs of jobs.
        """
        return EnsemblePredictor(models, store_path=self._store(), name=self.predictor_name)

    def _store(self) -> str | None:
        return self.train_maker.in_store(self.store_path).store_path

    def _numbered(self, maker: TrainMaker, number: int) -> TrainMaker:
        seed = int(maker.training.get("seed", 0)) + number
        return replace(
            maker.in_store(self.store_path),
            name=f"{maker.name} {number}",
            model_name=f"{maker.model_name}-{number}",
            training={**maker.training, "seed": seed},
        )
