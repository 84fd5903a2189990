"""The Lightning module."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from scdp_models.data.sampling import StepBatches
from scdp_models.training.batches import BatchSource, RoundDataset, SourceSettings
from scdp_models.training.config import TrainingConfig
from scdp_models.training.kinds import LossSwitch
from scdp_models.training.module import DensityModule

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.shards import ShardReader
    from scdp_models.nn.network import DensityNetwork

FIT = frozenset({"fit"})


def _trainer(epoch: int = 0, rank: int = 0, world: int = 1) -> Any:
    return SimpleNamespace(current_epoch=epoch, global_rank=rank, world_size=world)


@pytest.fixture
def source(reader: ShardReader) -> BatchSource:
    return BatchSource(reader, SourceSettings(cutoff=5.0, n_probes=30, n_waves=30))


@pytest.fixture
def module(source: BatchSource, tiny_network: DensityNetwork) -> DensityModule:
    made = DensityModule(tiny_network, TrainingConfig(), (source, source))
    made._trainer = _trainer()
    return made


def test_the_loss_is_that_of_the_predicted_density(
    module: DensityModule, samples: list[TrainingSample]
) -> None:
    batch = module.training_source.batch([0, 3], 0, {"coulomb": 1.0}, FIT)
    losses = module.structure_losses(batch).detach()
    parts = [part.coefficients.detach().numpy() for part in module.predicted(batch)]
    for loss, part, index in zip(losses, parts, (0, 3), strict=True):
        error, metric = part - samples[index].template.coefficients, samples[index].metric
        assert metric is not None
        assert loss.item() == pytest.approx(0.5 * error @ metric @ error, rel=1e-4)


def test_losses_are_added_in_the_unit_of_the_first(module: DensityModule) -> None:
    parts = frozenset({"fit", "probes"})
    alone = [
        module.structure_losses(module.training_source.batch([1], 0, {name: 1.0}, parts))
        for name in ("coulomb", "coefficients")
    ]
    both = module.training_source.batch([1], 0, {"coulomb": 1.0, "coefficients": 0.5}, parts)
    # Scales are 20 and 1.
    expected = alone[0] + 0.5 / 20 * alone[1]
    torch.testing.assert_close(module.structure_losses(both), expected)


def test_bfloat16_is_near_and_its_losses_are_single_precision(module: DensityModule) -> None:
    batch = module.training_source.batch([0, 1], 0, {"coulomb": 1.0}, FIT)
    exact = module.structure_losses(batch)
    module.config = TrainingConfig(precision="bf16-mixed")
    mixed = module.structure_losses(batch)
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, exact)
    torch.testing.assert_close(mixed, exact, rtol=0.1, atol=0)


def test_adam_takes_the_settings(module: DensityModule) -> None:
    module.config = TrainingConfig(epsilon=1e-7)
    chosen = module.configure_optimizers()
    group = chosen["optimizer"].param_groups[0]
    assert group["betas"] == (0.9, 0.99)
    assert group["eps"] == 1e-7
    assert group["initial_lr"] == 5e-3
    assert chosen["lr_scheduler"]["interval"] == "step"
    assert group["lr"] == pytest.approx(5e-3 / 51)
    n_parameters = sum(p.numel() for p in module.network.parameters())
    assert sum(p.numel() for p in group["params"]) == n_parameters


def test_progress_follows_steps_or_time(module: DensityModule) -> None:
    module.config = TrainingConfig(n_steps=100, max_seconds=10.0)
    module.seconds = 4.0
    assert module.progress(20) == 0.4
    assert module.progress(60) == 0.6
    module.seconds = 11.0
    assert module.progress(60) == 1.0


@pytest.mark.parametrize(("epoch", "steps"), [(0, (0, 3)), (1, (3, 6)), (2, (6, 8))])
def test_each_round_goes_on_where_the_last_one_ended(
    module: DensityModule, epoch: int, steps: tuple[int, int]
) -> None:
    module.config = TrainingConfig(n_steps=8, batch_size=3, steps_per_round=3, seed=5)
    module._trainer = _trainer(epoch)
    dataset = module.train_dataloader().dataset
    assert isinstance(dataset, RoundDataset)
    assert [part.indices for part in dataset.parts] == list(StepBatches(4, 3, seed=5, steps=steps))
    assert dataset.parts[0].step == steps[0]  # keys the probes


def test_batches_follow_the_switch_of_the_loss(module: DensityModule) -> None:
    module.config = TrainingConfig(
        loss="grid_mae", loss_switch=LossSwitch(0.5, "coulomb"), n_steps=4, batch_size=2
    )
    losses = [next(iter(batch.losses)) for batch in module.train_dataloader()]
    assert losses == ["grid_mae", "grid_mae", "coulomb", "coulomb"]


def test_without_a_validation_set_there_is_nothing_to_validate(
    source: BatchSource, tiny_network: DensityNetwork
) -> None:
    module = DensityModule(tiny_network, TrainingConfig(), (source, None))
    assert not module.validates
    assert module.val_dataloader() == []
    assert module.measures == {}


def test_validation_sees_every_structure_once_and_the_same_probes(module: DensityModule) -> None:
    first, again = (
        [batch.labels[0].wanted_probes().target for batch in module.val_dataloader()]
        for _ in range(2)
    )
    assert len({tuple(target.tolist()) for target in first}) == 4
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize(("world", "sizes"), [(2, [2, 2]), (3, [2, 1, 1]), (5, [4] * 5)])
def test_processes_share_the_validation(
    module: DensityModule, world: int, sizes: list[int]
) -> None:
    found = []
    for rank in range(world):
        module._trainer = _trainer(rank=rank, world=world)
        found.append(len(module.val_dataloader()))
    assert found == sizes
