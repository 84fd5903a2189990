"""The running average of the weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from scdp_models.training.averaging import AveragedWeights


@pytest.fixture
def module() -> pl.LightningModule:
    """Give a module with one weight, which is 0."""
    module = pl.LightningModule()
    module.weight = torch.nn.Parameter(torch.zeros(1))
    return module


def _set(module: pl.LightningModule, value: float) -> None:
    for parameter in module.parameters():
        parameter.data.fill_(value)


def _value(module: pl.LightningModule) -> float:
    return next(module.parameters()).item()


def _step(averaged: AveragedWeights, module: pl.LightningModule, step: int) -> None:
    trainer: Any = SimpleNamespace(global_step=step)
    averaged.on_train_batch_end(trainer, module, None, None, 0)


def _started(module: pl.LightningModule, decay: float) -> AveragedWeights:
    averaged = AveragedWeights(decay)
    trainer: Any = SimpleNamespace(global_step=0)
    averaged.on_train_start(trainer, module)
    return averaged


def test_late_steps_move_the_average_by_the_decay(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.9)
    _set(module, 1.0)
    for step in (1000, 1001):
        _step(averaged, module, step)
    averaged.install(module)
    assert _value(module) == pytest.approx(1 - 0.9**2)


def test_early_steps_forget_the_random_start(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.999)
    _set(module, 1.0)
    _step(averaged, module, 1)
    averaged.install(module)
    assert _value(module) == pytest.approx(1 - 2 / 11)


def test_validation_borrows_the_average(module: pl.LightningModule) -> None:
    averaged, trainer = _started(module, 0.5), SimpleNamespace(global_step=0)
    _set(module, 1.0)
    averaged.on_validation_start(trainer, module)  # type: ignore[arg-type]
    assert _value(module) == 0.0
    averaged.on_validation_end(trainer, module)  # type: ignore[arg-type]
    assert _value(module) == 1.0


def test_a_restored_average_is_gone_on_with(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.9)
    _set(module, 1.0)
    _step(averaged, module, 1000)
    restored = AveragedWeights(0.9)
    restored.load_state_dict(averaged.state_dict())
    trainer: Any = SimpleNamespace(global_step=1000)
    restored.on_train_start(trainer, module)
    _step(restored, module, 1001)
    restored.install(module)
    assert _value(module) == pytest.approx(1 - 0.9**2)


def test_the_average_is_no_view_of_the_weights(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.9)
    _set(module, 5.0)
    averaged.install(module)
    assert _value(module) == 0.0


def test_parts_of_a_step_count_once(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.9)
    _set(module, 1.0)
    for step in (1000, 1000, 1000, 1001, 1001):
        _step(averaged, module, step)
    averaged.install(module)
    assert _value(module) == pytest.approx(1 - 0.9**2)


def test_a_copy_stays_as_it_is(module: pl.LightningModule) -> None:
    averaged = _started(module, 0.9)
    kept = averaged.copy()
    _set(module, 1.0)
    _step(averaged, module, 1000)
    averaged.load(module, kept)
    assert _value(module) == 0.0
