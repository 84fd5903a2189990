"""When a run ends: its time is over, nothing improves any more, or somebody asks for it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from scdp_models.training.averaging import AveragedWeights

__all__ = ["STOP_FILE", "Patience", "StopFile", "TrainingClock"]

STOP_FILE = "STOP"
"""A file of this name in the folder of a run makes it save its state and leave."""


class TrainingClock(pl.Callback):
    """Measure the time spent on training, and end the run when it is over.

    Validation does not count, so that runs can be compared at equal training time. The module is
    told the time in ``seconds``; with several processes it is that of the first one everywhere,
    since their learning rates must agree.

    Parameters
    ----------
    max_seconds
        None: only measure.
    """

    def __init__(self, max_seconds: float | None) -> None:
        self.max_seconds = max_seconds
        self.seconds = 0.0
        self._since = 0.0

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return self.max_seconds is not None and self.seconds >= self.max_seconds

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock where an earlier part of the run left it."""
        self._since = time.monotonic()
        self._tell(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Read the clock."""
        del outputs, batch, batch_idx
        now = time.monotonic()
        self.seconds += now - self._since
        self._since = now
        self._tell(trainer, pl_module)

    def _tell(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.max_seconds is not None and trainer.world_size > 1:
            self.seconds = float(trainer.strategy.broadcast(self.seconds))
        pl_module.seconds = self.seconds  # type: ignore[assignment]
        if self.over:
            trainer.should_stop = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Leave out the time since the last step."""
        self._since = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return the time for the training checkpoint."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the time."""
        self.seconds = float(state_dict["seconds"])


class StopFile(pl.Callback):
    """End the run after the round in which a file appears; its state is saved as after any round.

    Parameters
    ----------
    path
        The file. It is left in place: whoever made it knows when the run may go on.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.asked = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Look for the file; all processes leave if one has seen it."""
        self.asked = trainer.strategy.reduce_boolean_decision(self.path.exists(), all=False)
        if self.asked:
            trainer.should_stop = True


class Patience(pl.Callback):
    """End the run when the validation loss has not improved for some rounds; keep the best weights.

    Parameters
    ----------
    averaged
        The weights that are validated.
    rounds
        How many rounds to wait.
    """

    def __init__(self, averaged: AveragedWeights, rounds: int) -> None:
        self.averaged, self.rounds = averaged, rounds
        self.best, self.best_step, self.last_step = math.inf, 0, 0
        self.waited = 0
        self._weights: dict[str, torch.Tensor] = {}

    @property
    def over(self) -> bool:
        """Whether it has run out."""
        return self.waited >= self.rounds

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Do not go on with a run that was over."""
        if self.over:
            trainer.should_stop = True

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Judge the round."""
        # A resumed run closes its last round a second time.
        if trainer.global_step == self.last_step:
            return
        self.last_step = trainer.global_step
        loss = float(trainer.callback_metrics["validation_loss"])
        if loss < self.best:
            self.best, self.best_step, self.waited = loss, trainer.global_step, 0
            self._weights = self.averaged.copy()
            return
        self.waited += 1
        if self.over:
            trainer.should_stop = True

    def install(self, pl_module: pl.LightningModule) -> None:
        """Give a module the best weights, if any round was judged."""
        if self._weights:
            self.averaged.load(pl_module, self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return everything for the training checkpoint."""
        names = ("best", "best_step", "last_step", "waited")
        return {**{name: getattr(self, name) for name in names}, "weights": self._weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore everything."""
        for name in ("best", "best_step", "last_step", "waited"):
            setattr(self, name, state_dict[name])
        self._weights = dict(state_dict["weights"])
