"""Batches of training structures, a part of a step at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from scdp_models.data.probes import basis_values, draw_probes, has_function_table
from scdp_models.data.waves import draw_waves
from scdp_models.errors import TrainingError
from scdp_models.graph import AtomGraph, build_graph, collate
from scdp_models.training.gaussians import shell_layout
from scdp_models.training.labels import FitLabel, ProbeLabel, StructureLabel, WaveLabel
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.sampling import StepBatches
    from scdp_models.data.shards import ShardReader
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.training.gaussians import ShellLayout

__all__ = ["Batch", "BatchSource", "RoundDataset", "SourceSettings"]

# Prepared structures that are kept; a graph of twenty atoms takes about 50 kB.
_KEPT_STRUCTURES = 2048


class Batch(NamedTuple):
    """What one step, or a part of it, needs.

    Attributes
    ----------
    graph
        Structures.
    labels
        One per structure.
    losses
        Name → weight.
    share
        What the mean loss of this part counts in the step's, relative to equal parts.
    """

    graph: AtomGraph
    labels: list[StructureLabel]
    losses: dict[str, float]
    share: float = 1.0

    def to(self, target: torch.device | torch.dtype) -> Batch:
        """Move to a device, or convert the floating-point tensors to a dtype."""
        labels = [label.to(target) for label in self.labels]
        return Batch(self.graph.to(target), labels, self.losses, self.share)


@dataclass(frozen=True)
class SourceSettings:
    """How samples become labels.

    Attributes
    ----------
    cutoff
        Of the graph, Å.
    n_probes, n_waves
        Draws per structure.
    seed
        Key of the draws.
    reference
        Atomic densities subtracted from grids; None for the total density.
    scaled
        Whether the network changes exponents.
    dtype
        Of everything.
    """

    cutoff: float
    n_probes: int = 1500
    n_waves: int = 1500
    seed: int = 0
    reference: AtomicReference | None = None
    scaled: bool = False
    dtype: torch.dtype = torch.float32


class BatchSource:
    """Turn stored samples into batches.

    Parameters
    ----------
    reader
        Samples on disk.
    settings
        What labels should be.
    """

    def __init__(self, reader: ShardReader, settings: SourceSettings) -> None:
        self.reader, self.settings = reader, settings
        self.spreads: Mapping[int, NDArray[np.float64]] = {}
        """Standard deviation of the coefficients of each species, for loss ``"coefficients"``."""
        self.graph = lru_cache(maxsize=_KEPT_STRUCTURES)(self._graph)
        self._layout = lru_cache(maxsize=_KEPT_STRUCTURES)(self._make_layout)

    def _graph(self, index: int) -> AtomGraph:
        """Return the graph of a sample; few thousand are kept."""
        sample = self.reader[index]
        template = sample.template
        graph = build_graph(
            template.numbers,
            template.positions,
            self.settings.cutoff,
            weights=sample.weights,
            cell=template.cell,
            pbc=template.pbc,
        )
        return graph.with_state(sample.charge, sample.unpaired).to(self.settings.dtype)

    def _make_layout(self, index: int) -> ShellLayout:
        # The network's factors on exponents are at least one half.
        smallest = 0.5 if self.settings.scaled else 1.0
        return shell_layout(self.reader[index].template, smallest_factor=smallest)

    def label(self, index: int, step: int, parts: frozenset[str]) -> StructureLabel:
        """Return the parts of a label that a step needs."""
        sample, key = self.reader[index], (self.settings.seed, step, index)
        template = sample.template
        table = not self.settings.scaled and has_function_table(template, self.settings.n_probes)
        layout = None
        if "waves" in parts or ("probes" in parts and not table):
            layout = self._layout(index)
        origin = np.zeros(3) if layout is None else layout.origin
        return StructureLabel(
            n_functions=template.n_functions,
            n_shells=len(template.shell_ls),
            layout=layout,
            fit=self._fit(sample) if "fit" in parts else None,
            probes=self._probes(sample, key, origin, table=table) if "probes" in parts else None,
            waves=self._waves(sample, key, origin) if "waves" in parts else None,
        ).to(self.settings.dtype)

    def _fit(self, sample: TrainingSample) -> FitLabel:
        if sample.metric is None:
            msg = (
                f"label {sample.key} was not fitted to Gaussian shells, which this loss needs; "
                "label it with a fit, or train with loss 'grid_mae' or 'coulomb_g'"
            )
            raise TrainingError(msg)
        numbers, own = sample.template.numbers.tolist(), self.spreads
        spreads = np.concatenate([own[z] for z in numbers]) if own else np.ones(1)
        return FitLabel(
            torch.as_tensor(sample.template.coefficients),
            torch.as_tensor(sample.metric),
            torch.as_tensor(spreads),
            None if sample.spin is None else torch.as_tensor(sample.spin),
        )

    def _probes(
        self,
        sample: TrainingSample,
        key: tuple[int, ...],
        origin: NDArray[np.float64],
        *,
        table: bool,
    ) -> ProbeLabel:
        settings = self.settings
        drawn = draw_probes(sample, settings.n_probes, key, reference=settings.reference)
        values = basis_values(sample.template, drawn.points) if table else None
        return ProbeLabel(
            torch.as_tensor((drawn.points - origin) / BOHR_TO_ANGSTROM),
            torch.as_tensor(drawn.target),
            torch.as_tensor(drawn.mean_density),
            None if values is None else torch.as_tensor(values),
        )

    def _waves(
        self, sample: TrainingSample, key: tuple[int, ...], origin: NDArray[np.float64]
    ) -> WaveLabel:
        settings = self.settings
        drawn = draw_waves(sample, settings.n_waves, key, reference=settings.reference)
        target = drawn.target * np.exp(1j * drawn.vectors @ (origin / BOHR_TO_ANGSTROM))
        return WaveLabel(
            torch.as_tensor(drawn.vectors),
            torch.as_tensor(np.stack([target.real, target.imag], axis=1)),
            torch.as_tensor(drawn.weights),
        )

    def batch(
        self, indices: list[int], step: int, losses: dict[str, float], parts: frozenset[str]
    ) -> Batch:
        """Assemble structures for the losses of a step."""
        labels = [self.label(index, step, parts) for index in indices]
        return Batch(collate([self.graph(index) for index in indices]), labels, losses)


@dataclass(frozen=True)
class _Part:
    """Structures of a part of a step, and what their mean counts."""

    step: int
    indices: list[int]
    share: float


class RoundDataset(Dataset[Batch]):
    """The batches of one round of steps, in order, each in parts.

    Parameters
    ----------
    source
        Where batches come from.
    steps
        Which samples make up each step.
    losses
        Called with a step just before its batch is made: the losses, and the parts of labels.
    accumulate
        Parts of a step.
    place
        Which of how many processes this is: each takes its own structures of every part.
    """

    def __init__(
        self,
        source: BatchSource,
        steps: StepBatches,
        losses: Callable[[int], tuple[dict[str, float], frozenset[str]]],
        *,
        accumulate: int = 1,
        place: tuple[int, int] = (0, 1),
    ) -> None:
        self.source, self.losses = source, losses
        rank, world = place
        self.parts: list[_Part] = []
        for step, whole in zip(range(*steps.steps), steps, strict=True):
            pieces = [piece.tolist() for piece in np.array_split(whole, accumulate * world)]
            for piece in pieces[rank::world]:
                share = len(piece) * len(pieces) / len(whole)
                self.parts.append(_Part(step, piece, share))

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.parts)

    def __getitem__(self, item: int) -> Batch:
        """Assemble one part."""
        part = self.parts[item]
        losses, needed = self.losses(part.step)
        made = self.source.batch(part.indices, part.step, losses, needed)
        return made._replace(share=part.share)
