"""The Lightning module: network, losses, optimiser and data of a run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from scdp_models.data.sampling import StepBatches
from scdp_models.training.batches import Batch, BatchSource, RoundDataset
from scdp_models.training.kinds import LOSS_KINDS
from scdp_models.training.labels import PredictedDensity
from scdp_models.training.losses import LOSS_FUNCTIONS
from scdp_models.training.schedule import learning_rate_factor

if TYPE_CHECKING:
    from scdp_models.nn.network import DensityNetwork
    from scdp_models.training.config import TrainingConfig

__all__ = ["DensityModule"]


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
        self.seconds = 0.0
        """Training time so far, the same in all processes; kept up by a callback."""
        self.measures = self._measures()

    def _measures(self) -> dict[str, str]:
        """Return the losses that validation reports whatever the training loss is, by metric."""
        source = self.validation_source
        if source is None or not self.validates:
            return {}
        found = {}
        if source.reader.carries("metric") and not source.settings.scaled:
            found["validation_coulomb_ha"] = "coulomb"
        elif source.reader.carries("grid"):
            found["validation_coulomb_ha"] = "coulomb_g"
        if source.reader.carries("metric") and self.network.config.spin_output:
            found["validation_coulomb_spin_ha"] = "coulomb_spin"
        if source.reader.carries("grid"):
            found["validation_nmae_percent"] = "grid_mae"
        return found

    @property
    def validates(self) -> bool:
        """Whether there are validation structures."""
        return self.validation_source is not None and len(self.validation_source.reader) > 0

    def progress(self, step: int) -> float:
        """Return the done share of the run, by steps or by time, whichever is further."""
        by_time = self.seconds / self.config.max_seconds if self.config.max_seconds else 0.0
        return min(1.0, max(step / self.config.n_steps, by_time))

    def predicted(self, batch: Batch) -> list[PredictedDensity]:
        """Return what the network says of each structure, in the dtype of the labels."""
        mixed = self.config.precision == "bf16-mixed"
        with torch.autocast(self.device.type, torch.bfloat16) if mixed else nullcontext():
            output = self.network.predict_parts(batch.graph)
        dtype = batch.graph.positions.dtype
        n_functions = [label.n_functions for label in batch.labels]
        n_shells = [label.n_shells for label in batch.labels]
        sizes = (n_functions, n_shells, n_functions)
        parts = (
            [None] * len(n) if flat is None else flat.to(dtype).split(n)
            for flat, n in zip(output, sizes, strict=True)
        )
        return list(map(PredictedDensity, *parts))

    def structure_losses(self, batch: Batch) -> torch.Tensor:
        """Return the loss of each structure, in the unit of the first loss of the batch.

        Further losses are brought to its size by their scale and weight.
        """
        return self._weighted(self.predicted(batch), batch)

    @staticmethod
    def _weighted(predicted: list[PredictedDensity], batch: Batch) -> torch.Tensor:
        first = LOSS_KINDS[next(iter(batch.losses))].scale
        total = torch.zeros(len(predicted), device=predicted[0].coefficients.device)
        for name, weight in batch.losses.items():
            factor = weight * LOSS_KINDS[name].scale / first
            total = total + factor * _each(name, predicted, batch)
        return total

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:  # noqa: ARG002 - Lightning's signature
        """Return the scaled loss of a part of a step."""
        loss = self.structure_losses(batch).mean()
        self._report("train_loss", loss.detach(), len(batch.labels))
        return LOSS_KINDS[next(iter(batch.losses))].scale * batch.share * loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Report the loss that the run ends with, and the measures that labels allow."""
        predicted = self.predicted(batch)
        self._report("validation_loss", self._weighted(predicted, batch).mean(), len(batch.labels))
        for metric, name in self.measures.items():
            values = _each(name, predicted, batch)
            if name == "grid_mae":
                whole = [label.wanted_probes().mean_density for label in batch.labels]
                values = 100 * values / torch.stack(whole)
            self._report(metric, values.mean(), len(batch.labels))

    def _report(self, name: str, value: torch.Tensor, n_structures: int) -> None:
        """Log the mean over structures and processes at the end of a round."""
        self.log(
            name,
            value,
            on_step=False,
            on_epoch=True,
            batch_size=n_structures,
            sync_dist=self.trainer.world_size > 1,
        )

    def configure_optimizers(self) -> Any:
        """Return Adam and its schedule."""
        config = self.config
        optimizer = torch.optim.Adam(
            self.parameters(), lr=config.learning_rate, betas=config.betas, eps=config.epsilon
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _rate_factor(self, step: int) -> float:
        position = self.progress(step) * self.config.n_steps if self.config.max_seconds else None
        return learning_rate_factor(step, config=self.config, position=position)

    def _training_losses(self, step: int) -> tuple[dict[str, float], frozenset[str]]:
        losses = self.config.losses(self.progress(step))
        return losses, frozenset(LOSS_KINDS[name].part for name in losses)

    def _validation_losses(self, step: int) -> tuple[dict[str, float], frozenset[str]]:  # noqa: ARG002 - the same in every round
        losses = self.config.final_losses
        names = {*losses, *self.measures.values()}
        return losses, frozenset(LOSS_KINDS[name].part for name in names)

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
        dataset = RoundDataset(
            self.training_source,
            steps,
            self._training_losses,
            accumulate=config.accumulate,
            place=(self.trainer.global_rank, self.trainer.world_size),
        )
        return DataLoader(dataset, batch_size=None)

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Return all validation structures, each once per round."""
        source = self.validation_source
        if source is None or not self.validates:
            return []
        n_structures, world = len(source.reader), self.trainer.world_size
        # Every process must report: where there are too few structures, all do all of them.
        rank, step = (self.trainer.global_rank, world) if n_structures >= world else (0, 1)
        steps = StepBatches(n_structures, 1, seed=0, steps=(0, n_structures))
        dataset = RoundDataset(source, steps, self._validation_losses)
        dataset.parts = dataset.parts[rank::step]
        return DataLoader(dataset, batch_size=None)

    def transfer_batch_to_device(
        self,
        batch: Batch,
        device: torch.device,
        dataloader_idx: int,  # noqa: ARG002 - Lightning's signature
    ) -> Batch:
        """Move a batch; Lightning does not know our types."""
        return batch.to(device)


def _each(name: str, predicted: list[PredictedDensity], batch: Batch) -> torch.Tensor:
    """Return one loss of every structure."""
    function = LOSS_FUNCTIONS[name]
    return torch.stack(
        [function(one, label) for one, label in zip(predicted, batch.labels, strict=True)]
    )
