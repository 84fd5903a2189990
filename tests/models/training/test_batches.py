"""Batches hold what their step needs, and the same whenever they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.data.sampling import StepBatches
from scdp_models.training.batches import BatchSource, RoundDataset

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.shards import ShardReader
    from scdp_models.density.atomic import AtomicReference


def test_a_coulomb_batch_holds_coefficients_and_metrics(
    reader: ShardReader, samples: list[TrainingSample]
) -> None:
    batch = BatchSource(reader, cutoff=5.0).batch([2, 0], step=0)
    assert batch.graph.n_structures == 2
    expected = torch.as_tensor(samples[2].template.coefficients).float()
    torch.testing.assert_close(batch.targets[0], expected)
    torch.testing.assert_close(batch.tables[1], torch.as_tensor(samples[0].metric))


def test_a_grid_batch_holds_probes_that_the_fit_explains(
    reader: ShardReader, samples: list[TrainingSample], reference: AtomicReference
) -> None:
    source = BatchSource(reader, cutoff=5.0, n_probes=40, reference=reference)
    batch = source.batch([1], step=3)
    assert batch.tables[0].shape == (40, samples[1].template.n_functions)
    predicted = batch.tables[0] @ torch.as_tensor(samples[1].template.coefficients).float()
    torch.testing.assert_close(predicted, batch.targets[0], rtol=0, atol=2e-5)


def test_probes_change_with_the_step_and_only_with_it(reader: ShardReader) -> None:
    first, again = (BatchSource(reader, cutoff=5.0, n_probes=10) for _ in range(2))
    first.batch([0], step=6)  # an earlier draw must not matter
    targets = [first.batch([0], step=7).targets[0], again.batch([0], step=7).targets[0]]
    torch.testing.assert_close(*targets, rtol=0, atol=0)
    assert not torch.equal(again.batch([0], step=8).targets[0], targets[0])


def test_graphs_are_single_precision_and_built_once(reader: ShardReader) -> None:
    source = BatchSource(reader, cutoff=5.0)
    assert source.graph(1) is source.graph(1)
    assert source.graph(1).vectors.dtype == torch.float32


def test_a_round_gives_the_batches_of_its_steps(reader: ShardReader) -> None:
    source = BatchSource(reader, cutoff=5.0, n_probes=5)
    whole = RoundDataset(source, StepBatches(4, 2, seed=0, steps=(0, 6)))
    part = RoundDataset(source, StepBatches(4, 2, seed=0, steps=(4, 6)))
    assert (len(whole), len(part)) == (6, 2)
    for item in range(2):
        torch.testing.assert_close(part[item].targets, whole[4 + item].targets, rtol=0, atol=0)
    with pytest.raises(IndexError):
        part[2]


def test_moving_a_batch_keeps_its_parts(reader: ShardReader) -> None:
    batch = BatchSource(reader, cutoff=5.0).batch([0, 1], step=0)
    moved = batch.to(torch.device("cpu"))
    assert moved.graph.n_nodes == batch.graph.n_nodes
    assert [len(t) for t in moved.targets] == [len(t) for t in batch.targets]
