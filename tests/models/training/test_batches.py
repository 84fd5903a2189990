"""Batches hold what their step needs, and the same whenever they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.data.sampling import StepBatches
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.errors import TrainingError
from scdp_models.training.batches import Batch, BatchSource, RoundDataset, SourceSettings

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_models.data.samples import TrainingSample
    from scdp_models.density.atomic import AtomicReference

FIT, PROBES = frozenset({"fit"}), frozenset({"probes"})
SETTINGS = SourceSettings(cutoff=5.0, n_probes=10)


def _fits(step: int) -> tuple[dict[str, float], frozenset[str]]:
    del step
    return {"coulomb": 1.0}, FIT


def _probes(step: int) -> tuple[dict[str, float], frozenset[str]]:
    del step
    return {"grid_mae": 1.0}, PROBES


def test_a_fit_is_coefficients_and_metric(
    reader: ShardReader, samples: list[TrainingSample]
) -> None:
    batch = BatchSource(reader, SETTINGS).batch([2, 0], 0, {"coulomb": 1.0}, FIT)
    assert batch.graph.n_structures == 2
    first, second = (label.wanted_fit() for label in batch.labels)
    expected = torch.as_tensor(samples[2].template.coefficients).float()
    torch.testing.assert_close(first.coefficients, expected)
    torch.testing.assert_close(second.metric, torch.as_tensor(samples[0].metric))
    assert batch.labels[0].probes is None


def test_probes_are_explained_by_the_fit(
    reader: ShardReader, samples: list[TrainingSample], reference: AtomicReference
) -> None:
    source = BatchSource(reader, replace(SETTINGS, n_probes=40, reference=reference))
    probes = source.label(1, 3, PROBES).wanted_probes()
    assert probes.table is not None
    assert probes.table.shape == (40, samples[1].template.n_functions)
    predicted = probes.table @ torch.as_tensor(samples[1].template.coefficients).float()
    torch.testing.assert_close(predicted, probes.target, rtol=0, atol=2e-5)


def test_probes_change_with_the_step_and_only_with_it(reader: ShardReader) -> None:
    first, again = (BatchSource(reader, SETTINGS) for _ in range(2))
    first.label(0, 6, PROBES)  # an earlier draw must not matter
    targets = [source.label(0, 7, PROBES).wanted_probes().target for source in (first, again)]
    torch.testing.assert_close(*targets, rtol=0, atol=0)
    assert not torch.equal(again.label(0, 8, PROBES).wanted_probes().target, targets[0])


def test_spreads_are_those_of_the_species(reader: ShardReader) -> None:
    source = BatchSource(reader, SETTINGS)
    source.spreads = {1: np.full(5, 2.0), 8: np.arange(1.0, 6.0)}
    found = source.label(0, 0, FIT).wanted_fit().spreads
    assert found.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0] + 10 * [2.0]


def test_graphs_are_single_precision_and_built_once(reader: ShardReader) -> None:
    source = BatchSource(reader, SETTINGS)
    assert source.graph(1) is source.graph(1)
    assert source.graph(1).vectors.dtype == torch.float32


def test_a_crystal_has_edges_to_images(samples: list[TrainingSample], tmp_path: Path) -> None:
    template = replace(samples[0].template, cell=np.eye(3) * 4.0, pbc=(True, True, True))
    crystal = replace(samples[0], template=template, metric=None)
    reader = ShardReader([write_shard(tmp_path / "crystal", [samples[0], crystal])])
    source = BatchSource(reader, SETTINGS)
    assert len(source.graph(1).source) > 3 * len(source.graph(0).source)
    assert source.label(1, 0, PROBES).wanted_probes().table is None
    with pytest.raises(TrainingError, match="label 0 was not fitted"):
        source.label(1, 0, FIT)


def test_a_round_gives_the_batches_of_its_steps(reader: ShardReader) -> None:
    source = BatchSource(reader, SETTINGS)
    whole = RoundDataset(source, StepBatches(4, 2, seed=0, steps=(0, 6)), _probes)
    part = RoundDataset(source, StepBatches(4, 2, seed=0, steps=(4, 6)), _probes)
    assert (len(whole), len(part)) == (6, 2)
    for item in range(2):
        for one, other in zip(part[item].labels, whole[4 + item].labels, strict=True):
            torch.testing.assert_close(
                one.wanted_probes().target, other.wanted_probes().target, rtol=0, atol=0
            )
    with pytest.raises(IndexError):
        part[2]


@pytest.mark.parametrize(("accumulate", "world"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
def test_parts_and_processes_share_a_batch(
    reader: ShardReader, accumulate: int, world: int
) -> None:
    steps, source = StepBatches(4, 5, seed=1, steps=(0, 2)), BatchSource(reader, SETTINGS)
    rounds = [
        RoundDataset(source, steps, _fits, accumulate=accumulate, place=(rank, world))
        for rank in range(world)
    ]
    assert {len(one) for one in rounds} == {2 * accumulate}
    for number, whole in enumerate(steps):
        parts = [p for one in rounds for p in one.parts if p.step == number]
        assert sorted(i for part in parts for i in part.indices) == sorted(whole)
        # Mean losses, weighted by their shares and averaged, are the mean over the batch.
        weights = [part.share / (accumulate * world) / len(part.indices) for part in parts]
        assert weights == pytest.approx([1 / 5] * len(parts))


def test_moving_a_batch_keeps_its_parts(reader: ShardReader) -> None:
    batch = BatchSource(reader, SETTINGS).batch([0, 1], 0, {"coulomb": 1.0}, FIT)
    moved: Batch = batch.to(torch.device("cpu")).to(torch.float64)
    assert moved.graph.n_nodes == batch.graph.n_nodes
    assert moved.losses == batch.losses
    assert moved.labels[1].wanted_fit().metric.dtype == torch.float64
