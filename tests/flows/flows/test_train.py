"""Labels become a model that is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


@pytest.fixture
def labels(gaussian_code: Any, molecules: list[Molecule], tmp_path: Path) -> list[str]:
    """Give six stored labels."""
    maker = LabelMaker(code=gaussian_code, store_path=str(tmp_path))
    ids: list[str] = LabelMaker.make.original(maker, molecules).density_ids  # type: ignore[attr-defined]
    return ids


def test_a_model_is_made_and_judged_beside_others(
    labels: list[str],
    tmp_path: Path,
    run_flow: Any,
    instant_training: list[Path],
    tiny_checkpoint: Path,
) -> None:
    maker = TrainFlowMaker(
        dataset_maker=BuildDatasetMaker(n_processes=1),
        train_maker=TrainMaker(model_name="mine"),
        store_path=str(tmp_path),
    )
    other = ScdpPredictor(str(tiny_checkpoint), name="other")
    output = run_flow(maker.make(labels[:4], test_ids=labels[4:], predictors=[other]))
    with open_stores(tmp_path) as stores:
        model = stores.models.get("mine")
        judged = [stores.reports.evaluations.get(key) for key in output["evaluation_ids"]]
    assert model.model_id == output["model_id"]
    assert model.dataset_id == output["dataset_id"]
    assert [doc.predictor for doc in judged] == ["trained", "other", "atomic"]
    assert {len(doc.rows) for doc in judged} == {2}
    assert len(instant_training) == 1


def test_judging_can_be_left_out(labels: list[str]) -> None:
    flow = TrainFlowMaker(evaluate_maker=None).make(labels)
    assert [job.name for job in flow.jobs] == ["build dataset", "train"]
    assert flow.output["evaluation_ids"] == []
