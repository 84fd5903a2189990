"""Labels become a model that is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
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


def test_a_second_stage_starts_from_the_first(
    labels: list[str], tmp_path: Path, run_flow: Any, instant_training: list[Path]
) -> None:
    first = TrainMaker(model_name="mine", training={"n_steps": 50, "learning_rate": 1e-3})
    maker = TrainFlowMaker(
        dataset_maker=BuildDatasetMaker(n_processes=1, keep_grid=True),
        train_maker=first,
        second_maker=first.second_stage(batch_size=2),
        evaluate_maker=None,
        store_path=str(tmp_path),
    )
    flow = maker.make(labels)
    assert [job.name for job in flow.jobs] == ["build dataset", "train", "train exponents"]
    output = run_flow(flow)
    settings = [json.loads((folder / "run.json").read_text()) for folder in instant_training]
    assert [one["network"]["scale_exponents"] for one in settings] == [False, True]
    second = settings[1]["training"]
    assert (second["n_steps"], second["batch_size"]) == (30, 2)
    assert (second["learning_rate"], second["loss"]) == (pytest.approx(2e-5), "coulomb_g")
    with open_stores(tmp_path) as stores:
        model = stores.models.get(output["model_id"])
        start = stores.models.fetch(str(model.parent_id), tmp_path)
    assert Path(second["initial_weights"]).read_bytes() == start.read_bytes()


def test_settings_are_checked_before_anything_is_built() -> None:
    maker = TrainFlowMaker(train_maker=TrainMaker(training={"loss": "grid_mae"}))
    with pytest.raises(SettingsError, match="keep_grid=True"):
        maker.make(["label"])
    maker = TrainFlowMaker(second_maker=TrainMaker().second_stage())
    with pytest.raises(SettingsError, match="'coulomb_g'"):
        maker.make(["label"])


def test_a_preset_makes_a_whole_flow() -> None:
    maker = TrainFlowMaker.from_preset("K4L3-b2.0-sf", "mine", evaluate_maker=None)
    flow = maker.make(["label"])
    assert [job.name for job in flow.jobs] == ["build dataset", "train", "train exponents"]
    assert maker.train_maker.model_name == maker.dataset_maker.dataset_name == "mine"
