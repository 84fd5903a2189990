"""Batches of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.flows.predict import PredictFlowMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL, ScdpPredictor

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_batches_give_one_output(
    molecules: list[Molecule], run_flow: Any, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    maker = PredictFlowMaker(batch_size=4, store_path=str(tmp_path))
    flow = maker.make(molecules, predictor=ScdpPredictor(str(tiny_checkpoint)))
    assert [job.name for job in flow.jobs] == ["predict", "predict", "merge predictions"]
    assert len(set(run_flow(flow).prediction_ids)) == 6


def test_the_shipped_model_predicts_by_default() -> None:
    predictor = PredictFlowMaker().predict_maker.predictor
    assert isinstance(predictor, ScdpPredictor)
    assert predictor.model == DEFAULT_MODEL


def test_no_structures_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no structures"):
        PredictFlowMaker().make([])
