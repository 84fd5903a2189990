"""A campaign begins with a draw and ends for a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pymatgen.core import Molecule

from scdp_flows.errors import DatasetError, SettingsError
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

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = {"n_layers": 1, "n_channels": 4, "lmax": 1, "n_radial": 4, "radial_hidden": 8}
TRAINING = {"n_steps": 4, "steps_per_round": 4, "batch_size": 2, "warmup_steps": 1}


@pytest.fixture
def maker(gaussian_code: Any, tmp_path: Path) -> ActiveLearningMaker:
    """Make a campaign of rounds of two labels."""
    train = TrainMaker(network=NETWORK, training=TRAINING)
    return ActiveLearningMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=gaussian_code, n_processes=1)),
        begin_maker=BeginCampaignMaker(n_first=3),
        dataset_maker=BuildDatasetMaker(split=SplitRule(validation=0.2), n_processes=1),
        ensemble_maker=EnsembleTrainMaker(
            n_models=2, train_maker=train, evaluate_maker=EvaluateMaker(n_processes=1)
        ),
        select_maker=SelectMaker(n_structures=2),
        next_maker=NextRoundMaker(max_labels=6),
        store_path=str(tmp_path / "store"),
    )


@pytest.fixture
def pool() -> list[Molecule]:
    """Give hydrogen molecules of many lengths."""
    lengths = np.linspace(0.6, 1.0, 9)
    return [Molecule(["H", "H"], [[0, 0, 0], [0, 0, length]]) for length in lengths]


def _run(maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any) -> ActiveLearningOutput:
    return ActiveLearningOutput.model_validate(run_flow(maker.make(pool[1:], pool[:1])))


@pytest.mark.usefixtures("instant_training")
@pytest.mark.parametrize(
    ("target", "max_labels", "reason"), [(1e9, 50, "target"), (0.0, 50, "pool")]
)
def test_it_ends_for_a_reason(
    target: float,
    max_labels: int,
    reason: str,
    maker: ActiveLearningMaker,
    pool: list[Molecule],
    run_flow: Any,
) -> None:
    ends = NextRoundMaker(target=target, max_labels=max_labels)
    greedy = replace(maker, next_maker=ends, select_maker=SelectMaker(n_structures=5))
    assert _run(greedy, pool, run_flow).stopped == reason


@pytest.mark.usefixtures("instant_training")
def test_an_unknown_metric_is_named(
    maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any
) -> None:
    odd = replace(maker, next_maker=NextRoundMaker(metric="beauty"))
    with pytest.raises(SettingsError, match=r"metric is 'beauty'; the evaluation has coulomb"):
        _run(odd, pool, run_flow)


def test_a_pool_smaller_than_the_first_round_is_refused(
    maker: ActiveLearningMaker, pool: list[Molecule], run_flow: Any
) -> None:
    with pytest.raises(DatasetError, match="the pool has 2 structures, the first round takes 3"):
        _run(maker, pool[:3], run_flow)
