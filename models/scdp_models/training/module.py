"""The Lightning module: network, loss, optimiser and data of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from scdp_models.data.sampling import StepBatches
from scdp_models.training.batches import Batch, BatchSource, RoundDataset
from scdp_models.training.losses import coulomb_energies, grid_errors

if TYPE_CHECKING:
    from scdp_models.nn.network import DensityNetwork
    from scdp_models.training.config import TrainingConfig

__all__ = ["DensityModule", "learning_rate_factor"]

# Brings both losses near one, so that one clipping norm and learning rate serve both.
_LOSS_SCALE = {"coulomb": 20.0, "grid_mae": 20.0}


def learning_rate_factor(step: int, *, config: TrainingConfig) -> float:
    """Return the rate at a step relative to its peak: warm-up, plateau, linear to zero."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    plateau = max(config.constant_fraction * config.n_steps, config.warmup_steps)
    if step <= plateau:
        return 1.0
    return max(0.0, (config.n_steps - step) / max(config.n_steps - plateau, 1.0))


class DensityModule(pl.LightningModule):
    """Train a :class:`DensityNetwork` on labelled structures.

    Parameters
    ----------
    network
        The network.
    config
        Training hyper-parameters.
    sources
        Batches for training and, where there are any, validation.
    """

    def __init__(
        self,
        network: DensityNetwork,
        config: TrainingConfig,
        sources: tuple[BatchSource, BatchSource | None],
    ) -> None:
        super().__init__()
        self.network, self.config = network, config
        self.training_source, self.validation_source = sources

    def structure_losses(self, batch: Batch) -> torch.Tensor:
        """Return the unscaled loss of each structure: Ha, or e/Å^3."""
        predicted = self.network(batch.graph)
        if self.config.loss == "coulomb":
            return coulomb_energies(predicted, batch.targets, batch.tables)
        return grid_errors(predicted, batch.tables, batch.targets)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:  # noqa: ARG002 - Lightning's signature
        """Return the scaled loss of a batch."""
        loss = self.structure_losses(batch).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.targets))
        return _LOSS_SCALE[self.config.loss] * loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Log the validation loss."""
        loss = self.structure_losses(batch).mean()
        self.log("validation_loss", loss, batch_size=len(batch.targets))

    def configure_optimizers(self) -> Any:
        """Return Adam and its schedule."""
        config = self.config
        optimizer = torch.optim.Adam(self.parameters(), lr=config.learning_rate, betas=config.betas)
        factor = partial(learning_rate_factor, config=config)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the steps of the current round."""
        config = self.config
        first = self.trainer.current_epoch * config.steps_per_round
        last = min(first + config.steps_per_round, config.n_steps)
        steps = StepBatches(
            len(self.training_source.reader),
            config.batch_size,
            seed=config.seed,
            steps=(first, last),
        )
        return DataLoader(RoundDataset(self.training_source, steps), batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Return all validation structures, each once per round."""
        source = self.validation_source
        if source is None or not len(source.reader):
            return []
        steps = StepBatches(len(source.reader), 1, seed=0, steps=(0, len(source.reader)))
        return DataLoader(RoundDataset(source, steps), batch_size=None)

    def transfer_batch_to_device(
        self,
        batch: Batch,
        device: torch.device,
        dataloader_idx: int,  # noqa: ARG002 - Lightning's signature
    ) -> Batch:
        """Move a batch; Lightning does not know our graph type."""
        return batch.to(device)
