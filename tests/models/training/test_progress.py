"""What a run tells the outside."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import pytest
import torch

from scdp_models.errors import TrainingError
from scdp_models.training.progress import FiniteLoss, MetricsFile, ProgressBar, read_metrics

if TYPE_CHECKING:
    from pathlib import Path

MODULE = pl.LightningModule()


def _trainer(step: int, **metrics: float) -> Any:
    """Give what the callbacks read of a trainer."""
    return SimpleNamespace(
        global_step=step,
        callback_metrics={name: torch.tensor(value) for name, value in metrics.items()},
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.01}])],
        is_global_zero=True,
        strategy=SimpleNamespace(reduce_boolean_decision=lambda wrong, **_: wrong),
    )


def test_each_round_writes_one_row(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.on_train_start(_trainer(0), MODULE)
    for step in (5, 10):
        metrics.on_train_epoch_end(_trainer(step, train_loss=1 / step), MODULE)
    rows = read_metrics(tmp_path / "m.jsonl")
    assert [row["step"] for row in rows] == [5, 10]
    assert rows[1]["train_loss"] == pytest.approx(0.1)
    assert rows[1]["learning_rate"] == 0.01
    assert "validation_loss" not in rows[0]


def test_resuming_drops_the_rows_that_will_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    rows = [{"step": step, "seconds": 2.0 * step} for step in (5, 10, 15)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = MetricsFile(path)
    metrics.on_train_start(_trainer(10), MODULE)
    metrics.on_train_epoch_end(_trainer(10), MODULE)  # the last round is closed a second time
    metrics.on_train_epoch_end(_trainer(15), MODULE)
    found = read_metrics(path)
    assert [row["step"] for row in found] == [5, 10, 15]
    assert found[2]["seconds"] >= 20.0  # the clock goes on


def test_the_table_has_a_column_for_all_that_was_ever_reported(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "m.jsonl")
    metrics.on_train_start(_trainer(0), MODULE)
    metrics.on_train_epoch_end(_trainer(5, train_loss=0.5), MODULE)
    metrics.on_train_epoch_end(_trainer(10, train_loss=0.25, validation_nmae_percent=2.0), MODULE)
    with (tmp_path / "m.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["train_loss"] for row in rows] == ["0.5", "0.25"]
    assert [row["validation_nmae_percent"] for row in rows] == ["", "2.0"]


def test_helping_processes_write_nothing(tmp_path: Path) -> None:
    metrics, helper = MetricsFile(tmp_path / "m.jsonl"), _trainer(5)
    helper.is_global_zero = False
    metrics.on_train_start(helper, MODULE)
    metrics.on_train_epoch_end(helper, MODULE)
    assert not list(tmp_path.glob("m.*"))


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 5}\n{"step": 1')
    assert read_metrics(path) == [{"step": 5}]
    assert read_metrics(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_loss_that_is_no_number_stops(value: float, wrapped: bool) -> None:
    loss = torch.tensor(value)
    with pytest.raises(TrainingError, match="non-finite loss at step 7"):
        FiniteLoss().on_train_batch_end(
            _trainer(7), MODULE, {"loss": loss} if wrapped else loss, None, 0
        )


@pytest.mark.parametrize("outputs", [None, {}, torch.tensor(1.5), {"loss": torch.tensor(0.0)}])
def test_a_finite_loss_goes_on(outputs: Any) -> None:
    FiniteLoss().on_train_batch_end(_trainer(7), MODULE, outputs, None, 0)


def test_the_bar_counts_steps_from_where_training_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = ProgressBar(20)
    bar.on_train_start(_trainer(10), MODULE)
    for step in range(11, 21):
        for _ in range(2):  # the second part of a step
            bar.on_train_batch_end(_trainer(step), MODULE, None, None, 0)
    bar.on_train_epoch_end(_trainer(20, train_loss=0.5, validation_loss=0.25), MODULE)
    bar.on_train_end(_trainer(20), MODULE)
    shown = capsys.readouterr().err
    assert "20/20" in shown
    assert "train=5.00e-01, validation=2.50e-01" in shown


def test_the_bar_is_closed_when_training_fails() -> None:
    bar = ProgressBar(20)
    bar.on_exception(_trainer(0), MODULE, ValueError())  # before it was opened
    bar.on_train_start(_trainer(0), MODULE)
    bar.on_exception(_trainer(0), MODULE, ValueError())
    assert bar._bar is not None
    assert bar._bar.disable
