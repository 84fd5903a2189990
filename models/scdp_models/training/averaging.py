"""Exponential moving average of the weights, used in validation and export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AveragedWeights"]


class AveragedWeights(pl.Callback):
    """Keep an average of the parameters beside them.

    Lightning's own averaging callback copies the whole module, data included; this one holds one
    extra tensor per parameter.

    Parameters
    ----------
    decay
        Weight of the old average in each step.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._average: dict[str, torch.Tensor] = {}
        self._live: dict[str, torch.Tensor] = {}
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the current weights unless an average was restored."""
        self._step = trainer.global_step
        for name, parameter in pl_module.named_parameters():
            start = self._average.get(name, parameter.detach())
            self._average[name] = start.to(parameter.device, copy=True)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: torch.Tensor | Mapping[str, Any] | None,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Move the average towards the weights of this step, if this was its last part.

        Early on the average follows faster, so that random initial weights are soon forgotten.
        """
        del outputs, batch, batch_idx
        step = trainer.global_step
        if step == self._step:
            return
        self._step = step
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, parameter in pl_module.named_parameters():
                self._average[name].lerp_(parameter, 1 - decay)

    def install(self, pl_module: pl.LightningModule) -> None:
        """Replace the weights of a module by their average."""
        self.load(pl_module, self._average)

    def copy(self) -> dict[str, torch.Tensor]:
        """Return a copy of the average, parameter by parameter."""
        return {name: tensor.clone() for name, tensor in self._average.items()}

    @staticmethod
    def load(pl_module: pl.LightningModule, weights: Mapping[str, torch.Tensor]) -> None:
        """Replace the weights of a module."""
        with torch.no_grad():
            for name, parameter in pl_module.named_parameters():
                parameter.copy_(weights[name])

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Put the average in place."""
        if self._average:
            self._live = {n: p.detach().clone() for n, p in pl_module.named_parameters()}
            self.install(pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Put the trained weights back."""
        if self._live:
            self.load(pl_module, self._live)
            self._live = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the average for the training checkpoint."""
        return {"average": self._average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the average."""
        self._average = dict(state_dict["average"])
