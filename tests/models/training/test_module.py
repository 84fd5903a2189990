"""The schedule and the losses of the Lightning module."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.data.sampling import StepBatches
from scdp_models.training.batches import BatchSource, RoundDataset
from scdp_models.training.config import TrainingConfig
from scdp_models.training.module import DensityModule, learning_rate_factor

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.shards import ShardReader
    from scdp_models.nn.network import DensityNetwork

SCHEDULE = TrainingConfig(n_steps=100, warmup_steps=4, constant_fraction=0.2)


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.2), (3, 0.8), (4, 1.0), (20, 1.0), (60, 0.5), (99, 0.0125), (100, 0.0), (120, 0.0)],
)
def test_the_rate_warms_up_stays_and_falls_to_zero(step: int, factor: float) -> None:
    assert learning_rate_factor(step, config=SCHEDULE) == pytest.approx(factor)


@pytest.mark.parametrize("n_steps", [1, 3, 10, 1000])
def test_the_rate_never_jumps_up_nor_leaves_its_bounds(n_steps: int) -> None:
    config = replace(SCHEDULE, n_steps=n_steps)
    factors = [learning_rate_factor(step, config=config) for step in range(n_steps)]
    assert 0 < min(factors) <= max(factors) <= 1
    assert np.diff([*factors, 0.0]).max() <= 0.2 + 1e-12


@pytest.fixture
def module(reader: ShardReader, tiny_network: DensityNetwork) -> DensityModule:
    source = BatchSource(reader, cutoff=5.0)
    return DensityModule(tiny_network, TrainingConfig(), (source, None))


def test_the_loss_is_that_of_the_predicted_density(
    module: DensityModule, samples: list[TrainingSample]
) -> None:
    batch = module.training_source.batch([0, 3], step=0)
    losses = module.structure_losses(batch).detach()
    parts = module.network(batch.graph).detach().split([len(t) for t in batch.targets])
    for loss, part, index in zip(losses, parts, (0, 3), strict=True):
        error = part.numpy() - samples[index].template.coefficients
        assert loss.item() == pytest.approx(0.5 * error @ samples[index].metric @ error, rel=1e-4)


def test_adam_takes_the_settings(module: DensityModule) -> None:
    chosen = module.configure_optimizers()
    group = chosen["optimizer"].param_groups[0]
    assert group["betas"] == (0.9, 0.99)
    assert group["initial_lr"] == 5e-3
    assert chosen["lr_scheduler"]["interval"] == "step"
    assert group["lr"] == pytest.approx(5e-3 / 51)
    n_parameters = sum(p.numel() for p in module.network.parameters())
    assert sum(p.numel() for p in group["params"]) == n_parameters


@pytest.mark.parametrize(("epoch", "steps"), [(0, (0, 3)), (1, (3, 6)), (2, (6, 8))])
def test_each_round_goes_on_where_the_last_one_ended(
    module: DensityModule, epoch: int, steps: tuple[int, int]
) -> None:
    module.config = TrainingConfig(n_steps=8, batch_size=3, steps_per_round=3, seed=5)
    module._trainer = SimpleNamespace(current_epoch=epoch)  # type: ignore[assignment]
    dataset = module.train_dataloader().dataset
    assert isinstance(dataset, RoundDataset)
    assert dataset.indices == list(StepBatches(4, 3, seed=5, steps=steps))
    assert dataset.first == steps[0]  # keys the probes


def test_without_a_validation_set_there_is_nothing_to_validate(module: DensityModule) -> None:
    assert module.val_dataloader() == []


def test_validation_sees_every_structure_once(module: DensityModule) -> None:
    module.validation_source = module.training_source
    loader = module.val_dataloader()
    targets = [batch.targets[0] for batch in loader]
    assert len(targets) == 4
    assert len({tuple(target.tolist()) for target in targets}) == 4
    first = next(iter(module.val_dataloader()))
    torch.testing.assert_close(first.targets[0], targets[0], rtol=0, atol=0)
