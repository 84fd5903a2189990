"""When a run ends."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import pytest
import torch

from scdp_models.training.averaging import AveragedWeights
from scdp_models.training.stopping import Patience, StopFile, TrainingClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def module() -> pl.LightningModule:
    """Give a module with one weight, which is 0."""
    module = pl.LightningModule()
    module.weight = torch.nn.Parameter(torch.zeros(1))
    return module


def _trainer(step: int = 0, loss: float = 0.0) -> Any:
    return SimpleNamespace(
        global_step=step,
        world_size=1,
        should_stop=False,
        callback_metrics={"validation_loss": torch.tensor(loss)},
        strategy=SimpleNamespace(reduce_boolean_decision=lambda found, **_: found),
    )


def test_the_clock_counts_training_but_not_validation(module: pl.LightningModule) -> None:
    clock, trainer = TrainingClock(None), _trainer()
    clock.on_train_start(trainer, module)
    time.sleep(0.02)
    clock.on_train_batch_end(trainer, module, None, None, 0)
    time.sleep(0.3)
    clock.on_validation_end(trainer, module)
    clock.on_train_batch_end(trainer, module, None, None, 0)
    assert 0.02 <= clock.seconds < 0.25
    assert float(module.seconds) == clock.seconds  # type: ignore[arg-type]
    assert not trainer.should_stop


def test_a_run_whose_time_is_over_ends_and_does_not_start_again(
    module: pl.LightningModule,
) -> None:
    clock, trainer = TrainingClock(5.0), _trainer()
    clock.load_state_dict({"seconds": 4.9999})
    clock.on_train_start(trainer, module)
    assert not trainer.should_stop
    time.sleep(0.001)
    clock.on_train_batch_end(trainer, module, None, None, 0)
    assert trainer.should_stop
    restored, again = TrainingClock(5.0), _trainer()
    restored.load_state_dict(clock.state_dict())
    restored.on_train_start(again, module)
    assert again.should_stop


def test_a_file_ends_the_run(tmp_path: Path, module: pl.LightningModule) -> None:
    stop, trainer = StopFile(tmp_path / "STOP"), _trainer()
    stop.on_train_epoch_end(trainer, module)
    assert not trainer.should_stop
    (tmp_path / "STOP").touch()
    stop.on_train_epoch_end(trainer, module)
    assert trainer.should_stop
    assert stop.path.exists()


def _validated(patience: Patience, module: pl.LightningModule, losses: list[float]) -> Any:
    """Validate rounds of 10 steps; the average of round n is n."""
    trainer = _trainer()
    patience.averaged.on_train_start(trainer, module)
    for number, loss in enumerate(losses, start=1):
        patience.averaged._average["weight"] = torch.full((1,), float(number))
        trainer = _trainer(10 * number, loss)
        patience.on_validation_end(trainer, module)
    return trainer


def test_patience_runs_out_and_the_best_weights_come_back(module: pl.LightningModule) -> None:
    patience = Patience(AveragedWeights(0.9), rounds=2)
    assert not _validated(patience, module, [3.0, 1.0, 2.0]).should_stop
    patience = Patience(AveragedWeights(0.9), rounds=2)
    trainer = _validated(patience, module, [3.0, 1.0, 2.0, float("nan")])
    assert trainer.should_stop
    assert (patience.best, patience.best_step) == (1.0, 20)
    patience.install(module)
    assert [weight.item() for weight in module.parameters()] == [2.0]


def test_a_round_is_judged_once_and_after_a_restart_as_before(module: pl.LightningModule) -> None:
    patience = Patience(AveragedWeights(0.9), rounds=2)
    _validated(patience, module, [1.0, 2.0])
    restored = Patience(AveragedWeights(0.9), rounds=2)
    restored.load_state_dict(patience.state_dict())
    restored.on_validation_end(_trainer(20, 2.0), module)  # the last round, closed again
    assert (restored.waited, restored.over) == (1, False)
    restored.on_validation_end(_trainer(30, 2.0), module)
    assert restored.over
    again = _trainer(30)
    restored.on_train_start(again, module)
    assert again.should_stop
