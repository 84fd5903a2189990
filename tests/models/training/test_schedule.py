"""Learning rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scdp_models.training.config import TrainingConfig
from scdp_models.training.schedule import learning_rate_factor

LINEAR = TrainingConfig(n_steps=100, warmup_steps=4, constant_fraction=0.2)
PAPER = TrainingConfig(n_steps=500_000, schedule="paper")


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.2), (3, 0.8), (4, 1.0), (20, 1.0), (60, 0.5), (99, 0.0125), (100, 0.0), (120, 0.0)],
)
def test_the_rate_warms_up_stays_and_falls_to_zero(step: int, factor: float) -> None:
    assert learning_rate_factor(step, config=LINEAR) == pytest.approx(factor)


@pytest.mark.parametrize("n_steps", [1, 3, 10, 1000])
def test_the_rate_never_jumps_up_nor_leaves_its_bounds(n_steps: int) -> None:
    config = replace(LINEAR, n_steps=n_steps)
    factors = [learning_rate_factor(step, config=config) for step in range(n_steps)]
    assert 0 < min(factors) <= max(factors) <= 1
    assert np.diff([*factors, 0.0]).max() <= 0.2 + 1e-12


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.2), (500, 0.6), (1000, 1.0), (1001, 0.96 ** (1001 / 4433)), (44_330, 0.96**10)],
)
def test_the_published_schedule_is_followed(step: int, factor: float) -> None:
    assert learning_rate_factor(step, config=PAPER) == pytest.approx(factor)


def test_fine_tuning_decays_from_the_start() -> None:
    config = replace(PAPER, schedule="paper_fine_tuning")
    factors = [learning_rate_factor(step, config=config) for step in (0, 5319, 10_638)]
    assert factors == pytest.approx([1.0, 0.96, 0.96**2])


def test_time_that_runs_ahead_moves_the_schedule_but_not_the_warm_up() -> None:
    assert learning_rate_factor(2, config=LINEAR, position=60.0) == pytest.approx(0.6)
    assert learning_rate_factor(30, config=LINEAR, position=60.0) == pytest.approx(0.5)
    assert learning_rate_factor(60, config=LINEAR, position=30.0) == pytest.approx(0.5)
    assert learning_rate_factor(10, config=PAPER, position=4433.0) == pytest.approx(0.96)
