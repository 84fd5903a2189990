"""The trunk: from a graph to node features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scdp_models.graph import AtomGraph, build_graph
from scdp_models.nn.compact import CompactTrunk
from scdp_models.nn.config import NetworkConfig


@pytest.fixture
def trunk(small_settings: dict[str, Any]) -> CompactTrunk:
    torch.manual_seed(0)
    return CompactTrunk(NetworkConfig(**small_settings), 2, 3.0).double()


def _features(trunk: CompactTrunk, graph: AtomGraph) -> torch.Tensor:
    features: torch.Tensor = trunk(graph, graph.numbers)
    return features.detach()


def test_features_of_all_layers_stand_side_by_side(trunk: CompactTrunk) -> None:
    graph = build_graph([0, 1, 1], np.eye(3), 5.0)
    assert _features(trunk, graph).shape == (3, trunk.n_features, 9)
    assert trunk.n_features == 8


def test_a_lone_atom_is_spherical(trunk: CompactTrunk) -> None:
    features = _features(trunk, build_graph([1], [[0.3, 0.2, 0.1]], 5.0))
    assert float(features[..., 0].abs().max()) > 0.01
    assert float(features[..., 1:].abs().max()) < 1e-12


@pytest.mark.parametrize("layers_away", [1, 2, 3])
def test_each_layer_sees_one_cutoff_further(trunk: CompactTrunk, layers_away: int) -> None:
    # A chain of atoms 4 Å apart; the species of the last changes.
    positions = np.outer(4.0 * np.arange(layers_away + 1), [1, 0, 0])
    numbers = np.zeros(layers_away + 1, int)
    changed = numbers.copy()
    changed[-1] = 1
    before, after = (
        _features(trunk, build_graph(z, positions, 5.0))[0] for z in (numbers, changed)
    )
    reached = not torch.equal(before, after)
    assert reached == (layers_away <= trunk.config.n_layers)


def test_a_centre_of_small_weight_is_hardly_felt(trunk: CompactTrunk) -> None:
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [1.0, 0.5, 0.0]]
    alone = _features(trunk, build_graph([0, 1], positions[:2], 5.0))
    changes = []
    for weight in (1e-3, 1e-6):
        graph = build_graph([0, 1, 1], positions, 5.0, weights=[1.0, 1.0, weight])
        changes.append(float((_features(trunk, graph)[:2] - alone).abs().max()))
    assert changes[0] > 1e-6
    assert changes[1] == pytest.approx(changes[0] * 1e-3, rel=0.05)
