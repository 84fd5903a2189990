"""What a run tells the outside: metrics files, a progress bar, a stop at a non-finite loss."""

from __future__ import annotations

import csv
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from tqdm import tqdm

from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FiniteLoss", "MetricsFile", "ProgressBar", "read_metrics"]


def read_metrics(path: str | Path) -> list[dict[str, float]]:
    """Read the rows of a metrics file, leaving out a last line cut short by a crash."""
    rows = []
    if Path(path).is_file():
        for line in Path(path).read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return rows


class MetricsFile(pl.Callback):
    """Append one JSON line per round: step, losses, learning rate, seconds.

    The same rows stand in a CSV file beside it, for spreadsheets and plotting programs.

    Parameters
    ----------
    path
        The file; rows of rounds that will be run again are dropped on resuming.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._started = 0.0
        self._before = 0.0
        self._last_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Keep the rows up to the step training goes on from."""
        rows = [row for row in read_metrics(self.path) if row["step"] <= trainer.global_step]
        if trainer.is_global_zero:
            self.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self._before = rows[-1]["seconds"] if rows else 0.0
        self._last_step = int(rows[-1]["step"]) if rows else -1
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the row of the round (a resumed run closes its last round a second time)."""
        if trainer.global_step == self._last_step:
            return
        row: dict[str, float] = {"step": trainer.global_step}
        for name, value in trainer.callback_metrics.items():
            row[name] = float(value)
        row["learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        row["seconds"] = round(self._before + time.monotonic() - self._started, 3)
        row["training_seconds"] = round(float(getattr(pl_module, "seconds", 0.0)), 3)
        if trainer.is_global_zero:
            with self.path.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
            self._write_table()

    def _write_table(self) -> None:
        rows = read_metrics(self.path)
        # A later round may report more than the first.
        names = list(dict.fromkeys(name for row in rows for name in row))
        with self.path.with_suffix(".csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(rows)


class ProgressBar(pl.Callback):
    """One bar over all steps, with the losses of the last round.

    Parameters
    ----------
    n_steps
        Steps of the whole run.
    """

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps
        self._bar: tqdm[Any] | None = None
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Open the bar at the step training goes on from."""
        self._step = trainer.global_step
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=self.n_steps,
            initial=trainer.global_step,
            desc="training",
            unit="step",
            mininterval=0.5 if terminal else 10.0,
            dynamic_ncols=terminal,
            disable=not trainer.is_global_zero,
        )

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Advance to the step reached."""
        del pl_module, outputs, batch, batch_idx
        if self._bar is not None:
            self._bar.update(trainer.global_step - self._step)
        self._step = trainer.global_step

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Show the losses."""
        if self._bar is None:
            return
        shown = {
            name.removesuffix("_loss"): f"{float(trainer.callback_metrics[name]):.2e}"
            for name in ("train_loss", "validation_loss")
            if name in trainer.callback_metrics
        }
        self._bar.set_postfix(shown, refresh=False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Close the bar."""
        self._close()

    def on_exception(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        exception: BaseException,
    ) -> None:
        """Close the bar, so that the message stands on a line of its own."""
        del trainer, pl_module, exception
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class FiniteLoss(pl.Callback):
    """Stop at once when the loss is no longer a number."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Check the loss of the step.

        Raises
        ------
        TrainingError
            If it is NaN or infinite, in any process.
        """
        del pl_module, batch, batch_idx
        loss = outputs if isinstance(outputs, torch.Tensor) else (outputs or {}).get("loss")
        wrong = loss is not None and not math.isfinite(float(loss))
        if trainer.strategy.reduce_boolean_decision(wrong, all=False):
            msg = f"non-finite loss at step {trainer.global_step}; lower the learning rate"
            raise TrainingError(msg)
