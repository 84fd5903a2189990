"""Batches of training structures, one per global step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.utils.data import Dataset

from scdp_models.data.probes import draw_probes
from scdp_models.graph import AtomGraph, build_graph, collate

if TYPE_CHECKING:
    from scdp_models.data.sampling import StepBatches
    from scdp_models.data.shards import ShardReader
    from scdp_models.density.atomic import AtomicReference

__all__ = ["Batch", "BatchSource", "RoundDataset"]


class Batch(NamedTuple):
    """What one step needs.

    ``tables`` are Coulomb metrics (loss ``"coulomb"``) or function values at probes
    (``"grid_mae"``); ``targets`` the coefficients or densities that go with them.
    """

    graph: AtomGraph
    targets: list[torch.Tensor]
    tables: list[torch.Tensor]

    def to(self, device: torch.device) -> Batch:
        """Move to a device."""
        return Batch(
            self.graph.to(device),
            [tensor.to(device) for tensor in self.targets],
            [tensor.to(device) for tensor in self.tables],
        )


class BatchSource:
    """Turn stored samples into batches; graphs are built once and kept.

    Parameters
    ----------
    reader
        Samples on disk.
    cutoff
        Å.
    n_probes
        Voxels per structure, or 0 for the Coulomb loss.
    reference
        Atomic densities subtracted from grid labels; None for the total density.
    seed
        Key of the probe draws.
    """

    def __init__(
        self,
        reader: ShardReader,
        *,
        cutoff: float,
        n_probes: int = 0,
        reference: AtomicReference | None = None,
        seed: int = 0,
    ) -> None:
        self.reader, self.cutoff, self.n_probes = reader, cutoff, n_probes
        self.reference, self.seed = reference, seed
        self._graphs: dict[int, AtomGraph] = {}

    def graph(self, index: int) -> AtomGraph:
        """Return the float32 graph of a sample."""
        if index not in self._graphs:
            sample = self.reader[index]
            graph = build_graph(
                sample.template.numbers,
                sample.template.positions,
                self.cutoff,
                weights=sample.weights,
            )
            self._graphs[index] = graph.to(torch.float32)
        return self._graphs[index]

    def batch(self, indices: list[int], step: int) -> Batch:
        """Assemble the batch of a step."""
        targets, tables = [], []
        for index in indices:
            sample = self.reader[index]
            if self.n_probes:
                key = (self.seed, step, index)
                probes = draw_probes(sample, self.n_probes, key, reference=self.reference)
                targets.append(torch.as_tensor(probes.target))
                tables.append(torch.as_tensor(probes.values))
            else:
                targets.append(torch.as_tensor(sample.template.coefficients).float())
                tables.append(torch.as_tensor(sample.metric))
        return Batch(collate([self.graph(index) for index in indices]), targets, tables)


class RoundDataset(Dataset[Batch]):
    """The batches of one round of steps, in order.

    Parameters
    ----------
    source
        Where batches come from.
    steps
        Which samples make up each step.
    """

    def __init__(self, source: BatchSource, steps: StepBatches) -> None:
        self.source, self.first = source, steps.steps[0]
        self.indices = list(steps)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.indices)

    def __getitem__(self, item: int) -> Batch:
        """Assemble one batch."""
        if item >= len(self.indices):
            raise IndexError(item)
        return self.source.batch(self.indices[item], self.first + item)
