"""A campaign labels what its ensemble is least sure of, round by round, and ends for a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.flows.active_learning import ActiveLearningMaker
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.campaign import BeginCampaignMaker, NextRoundMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.schemas.active_learning import ActiveLearningOutput
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = {"n_layers": 1, "n_channels": 4, "lmax": 1, "n_radial": 4, "radial_hidden": 8}
TRAINING = {"n_steps": 4, "steps_per_round": 4, "batch_size": 2, "warmup_steps": 1}


@pytest.fixture
def maker(gaussian_code: Any, tmp_path: Path) -> ActiveLearningMaker:
    """Make a campaign of two rounds."""
    train = TrainMaker(network=NETWORK, training=TRAINING)
    return ActiveLearningMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=gaussian_code, n_processes=1)),
        begin_maker=BeginCampaignMaker(n_first=3),
        dataset_maker=BuildDatasetMaker(split=SplitRule(validation=0.2), n_processes=1),
        ensemble_maker=EnsembleTrainMaker(
            n_models=2, train_maker=train, evaluate_maker=EvaluateMaker(n_processes=1)
        ),
        select_maker=SelectMaker(n_structures=2),
        next_maker=NextRoundMaker(max_labels=5),
        store_path=str(tmp_path / "store"),
    )


@pytest.fixture
def pool() -> list[Molecule]:
    """Give hydrogen molecules of many lengths."""
    lengths = np.linspace(0.6, 1.0, 9)
    return [Molecule(["H", "H"], [[0, 0, 0], [0, 0, length]]) for length in lengths]


def _run(maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any) -> ActiveLearningOutput:
    return ActiveLearningOutput.model_validate(run_flow(maker.make(pool[1:], pool[:1])))


@pytest.mark.slow
def test_rounds_follow_one_another_until_the_labels_are_used_up(
    maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any
) -> None:
    found = _run(maker, pool, run_flow)
    assert found.stopped == "budget"
    assert [one.n_labels for one in found.rounds] == [3, 5]
    chosen = [index for one in found.rounds for index in one.chosen]
    assert len(set(chosen)) == 5
    assert all(one.metrics["coulomb_error_ha"] > 0 for one in found.rounds)
    with open_stores(maker.store_path) as stores:
        assert stores.densities.count() == 6
        assert len(found.model_ids) == 2
        assert stores.reports.evaluations.get(found.evaluation_ids[0]).predictor == "ensemble"
