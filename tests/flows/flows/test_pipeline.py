"""The whole chain, with a DFT code and a training that cost nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


@pytest.fixture
def pipeline(gaussian_code: Any, tmp_path: Path, instant_training: list[Path]) -> PipelineMaker:
    """Chain everything with parts that cost nothing."""
    return PipelineMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=gaussian_code)),
        train_maker=TrainFlowMaker(dataset_maker=BuildDatasetMaker(n_processes=1)),
        seed_maker=SeedMaker(code=gaussian_code, limit=1),
        report_maker=ReportMaker(folder=str(tmp_path / "report")),
        store_path=str(tmp_path / "store"),
    )


def test_everything_is_made_and_nothing_twice(
    pipeline: PipelineMaker,
    molecules: list[Molecule],
    run_flow: Any,
    gaussian_code: Any,
    instant_training: list[Path],
    tmp_path: Path,
) -> None:
    first = run_flow(pipeline.make(molecules[:4], test_structures=molecules[4:]))
    computed = len(gaussian_code.computed)
    assert computed == len(molecules) + 1  # labels and one restart
    assert run_flow(pipeline.make(molecules[:4], test_structures=molecules[4:])) == first
    assert len(gaussian_code.computed) == computed
    assert len(instant_training) == 1
    with open_stores(tmp_path / "store") as stores:
        seed = stores.reports.seeds.get(first["seed_ids"][0])
        assert stores.reports.reports.get(first["report_id"]).files
        assert stores.datasets.get(first["dataset_id"]).n_test == 2
    assert [start.start for start in seed.starts] == ["default", "atomic", "trained", "exact"]
    trained = seed.start("trained")
    assert trained is not None
    assert trained.model_id == first["model_id"]


def test_without_test_structures_some_are_held_out(
    pipeline: PipelineMaker, molecules: list[Molecule], run_flow: Any, tmp_path: Path
) -> None:
    pipeline.train_maker.dataset_maker.split = SplitRule(test=0.4)
    output = run_flow(pipeline.make(molecules))
    with open_stores(tmp_path / "store") as stores:
        assert stores.datasets.get(output["dataset_id"]).n_test > 0


def test_parts_can_be_left_out(molecules: list[Molecule]) -> None:
    flow = PipelineMaker(seed_maker=None, report_maker=None).make(molecules)
    assert [job.name for job in flow.jobs] == ["label structures", "train a model"]
    assert set(flow.output) == {"dataset_id", "model_id", "evaluation_ids"}


def test_a_pipeline_survives_json(pipeline: PipelineMaker) -> None:
    from monty.json import MontyDecoder

    plain = PipelineMaker(store_path="somewhere")
    assert MontyDecoder().process_decoded(plain.as_dict()) == plain
