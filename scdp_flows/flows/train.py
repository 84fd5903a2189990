"""Turn labels into a judged model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from jobflow import Flow, Job, Maker

from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.jobs.training_configuration import preset_choices
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

    @classmethod
    def from_preset(cls, preset: str, name: str = "model", **fields: Any) -> Self:
        """Return the flow of a preset: basis, target, network, training, one stage or two.

        Parameters
        ----------
        preset
            Its name; see :mod:`scdp_models.nn.presets`.
        name
            Of the model and its dataset in the store.
        fields
            The remaining fields of this Maker.

        Raises
        ------
        SettingsError
            If there is no preset of this name.

        Examples
        --------
        >>> maker = TrainFlowMaker.from_preset("K8L6-b1.3-vo-sf")
        >>> maker.dataset_maker.basis, maker.second_maker.name
        ('etb-1.3+o', 'train exponents')
        """
        choices = preset_choices(preset)
        train = TrainMaker(model_name=name, preset=preset)
        return cls(
            dataset_maker=BuildDatasetMaker(
                dataset_name=name,
                basis=choices.basis,
                target=choices.target,
                keep_grid=choices.keep_grid,
            ),
            train_maker=train,
            second_maker=train.second_stage() if choices.two_stages else None,
            predictor_name=name,
            **fields,
        )

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

        Raises
        ------
        SettingsError
            If the settings of training do not fit those of the dataset.
        """
        for trainer in (self.train_maker, self.second_maker):
            if trainer is not None:
                trainer.check(self.dataset_maker)
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
