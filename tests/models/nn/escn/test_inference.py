"""Without gradients messages are computed in another order, and are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from scdp_models.graph import AtomGraph, build_graph, collate
from scdp_models.nn.escn import inference

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.nn.escn.trunk import EscnTrunk

    MakeTrunk = Callable[..., EscnTrunk]
    Molecule = tuple[np.ndarray, np.ndarray]

SETTINGS: dict[str, dict[str, Any]] = {
    "gate": {"activation": "gate"},
    "s2": {"activation": "s2"},
    "legacy": {"mode": "legacy", "activation": "s2"},
    "lmax 0": {"lmax": 0, "mmax": 0},
    "mmax 0": {"lmax": 3, "mmax": 0},
    "mmax 1": {"mode": "legacy", "activation": "s2", "mmax": 1},
}


def _both(trunk: EscnTrunk, graph: AtomGraph, species: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        quick = trunk(graph, species)
    return [quick, trunk(graph, species).detach()]


def _graph(ethanol: Molecule) -> tuple[AtomGraph, torch.Tensor]:
    species, positions = ethanol
    return build_graph(np.array([1, 6, 8])[species], positions, 4.0), torch.as_tensor(species)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_messages_are_the_same_without_gradients(
    make_trunk: MakeTrunk, ethanol: Molecule, settings: dict[str, Any]
) -> None:
    trunk = make_trunk(**{"lmax": 3, **settings})
    quick, slow = _both(trunk, *_graph(ethanol))
    torch.testing.assert_close(quick, slow, rtol=1e-11, atol=1e-11)


def test_the_order_of_edges_is_of_no_meaning(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    graph, species = _graph(ethanol)
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(graph.source)))
    shuffled = replace(
        graph, **{name: getattr(graph, name)[order] for name in ("source", "target", "vectors")}
    )
    with torch.no_grad():
        found = [make_trunk()(one, species) for one in (graph, shuffled)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-11)


def test_atoms_without_neighbours_receive_nothing(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    graph, species = _graph(ethanol)
    alone = build_graph([8], np.zeros((1, 3)), 4.0)
    batch = collate([alone, graph, alone])
    oxygen = torch.tensor([2])
    quick, slow = _both(make_trunk(), batch, torch.cat([oxygen, species, oxygen]))
    torch.testing.assert_close(quick, slow, rtol=1e-11, atol=1e-11)
    quick, slow = _both(make_trunk(), alone, oxygen)
    torch.testing.assert_close(quick, slow, rtol=1e-11, atol=1e-11)


def test_parts_of_a_graph_add_up(
    make_trunk: MakeTrunk, ethanol: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk, graph = make_trunk(), _graph(ethanol)
    with torch.no_grad():
        whole = trunk(*graph)
        monkeypatch.setattr(inference, "_EDGES_AT_ONCE", 10)
        parts = trunk(*graph)
    torch.testing.assert_close(parts, whole, rtol=1e-11, atol=1e-11)
