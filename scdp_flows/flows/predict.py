"""Predict many structures in batches that workers can share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Maker

from scdp_flows.errors import DatasetError
from scdp_flows.flows.batches import structure_batches
from scdp_flows.jobs.predict import PredictMaker, merge_predictions
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["PredictFlowMaker"]


def _shipped_model() -> PredictMaker:
    return PredictMaker(predictor=ScdpPredictor())


@dataclass
class PredictFlowMaker(Maker):
    """Make the flow that predicts structures, one job per batch; the default is a shipped model."""

    name: str = "predict structures"
    """Name of the flow."""
    predict_maker: PredictMaker = field(default_factory=_shipped_model)
    """How a batch is predicted."""
    batch_size: int = 1000
    """Most structures of a job; fewer where they are large."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self, structures: Sequence[AtomicStructure], *, predictor: Predictor | None = None
    ) -> Flow:
        """Chain the jobs; the output is that of one prediction job.

        Parameters
        ----------
        structures
            What to predict.
        predictor
            Who predicts; default: that of the Maker.

        Raises
        ------
        DatasetError
            If there is no structure.
        """
        if not structures:
            raise DatasetError("there are no structures to predict; give at least one")
        maker = self.predict_maker.in_store(self.store_path)
        batches = [
            maker.make(batch, predictor=predictor)
            for batch in structure_batches(structures, self.batch_size)
        ]
        if len(batches) == 1:
            return Flow(batches[0], output=batches[0].output, name=self.name)
        merged = merge_predictions([batch.output for batch in batches])
        return Flow([*batches, merged], output=merged.output, name=self.name)
