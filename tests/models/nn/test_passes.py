"""Structures go through a network together as long as they fit into memory."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scdp_models.basis.library import lean_basis
from scdp_models.errors import GraphError
from scdp_models.graph import AtomGraph, build_graph, collate
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.passes import DEFAULT_MEMORY, passes, prediction_bytes

CONFIGS = {
    "compact": NetworkConfig(),
    "escn": NetworkConfig(trunk="escn", n_layers=1, cutoff=6.0),
    "published": NetworkConfig(
        trunk="escn",
        mode="legacy",
        target="total",
        activation="s2",
        readout="tensor_product",
        project_charge=False,
        n_layers=1,
        cutoff=6.0,
        n_hidden=64,
    ),
}


class _Peak(TorchDispatchMode):
    """Counts the bytes of all tensors that live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if id(storage) not in self.live:
                    self.live[id(storage)] = storage.nbytes()
                    weakref.finalize(storage, self.live.pop, id(storage))
        self.peak = max(self.peak, sum(self.live.values()))
        return out


def _drops(n: int) -> AtomGraph:
    """Make n atoms at the density of water."""
    positions = np.random.default_rng(0).uniform(0, (10 * n) ** (1 / 3), (n, 3))
    return build_graph([1] * n, positions, 6.0)


@pytest.mark.parametrize("n_atoms", [20, 150])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_estimate_is_right_within_a_factor_of_two(config: NetworkConfig, n_atoms: int) -> None:
    network, graph = DensityNetwork(config, lean_basis([1])).float(), _drops(n_atoms)
    with torch.inference_mode(), _Peak() as memory:
        network.padded(graph.to(torch.float32))
    estimate = prediction_bytes(config, graph)
    assert 0.5 < estimate / memory.peak < 2


def test_larger_batches_are_split() -> None:
    graphs, config = [_drops(n) for n in (10, 10, 20, 10)], NetworkConfig()
    memory = prediction_bytes(config, graphs[2])
    parts = list(passes(graphs, config, memory=memory))
    assert [len(part) for part in parts] == [2, 1, 1]
    assert all(prediction_bytes(config, collate(part)) <= memory for part in parts)
    with pytest.raises(GraphError, match=r"of 20 centres .* are allowed; allow more"):
        list(passes(graphs, config, memory=memory - 1))
    with pytest.raises(GraphError, match="MiB are allowed"):
        list(passes(graphs, config, itemsize=8, memory=memory))


def test_without_a_limit_large_structures_go_alone() -> None:
    large, config = _drops(400), NetworkConfig()
    assert prediction_bytes(config, large) > DEFAULT_MEMORY
    assert [len(part) for part in passes(iter([large, _drops(5), large]), config)] == [1, 1, 1]
    assert [len(part) for part in passes([_drops(5)] * 20, config)] == [20]
