"""First weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.graph import build_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from scdp_models.nn.escn.trunk import EscnTrunk

    MakeTrunk = Callable[..., EscnTrunk]


@pytest.mark.parametrize("activation", ["gate", "s2"])
@pytest.mark.parametrize("n_layers", [1, 4])
def test_layers_neither_shrink_nor_blow_up_features(
    make_trunk: MakeTrunk, ethanol: tuple[np.ndarray, np.ndarray], activation: str, n_layers: int
) -> None:
    trunk = make_trunk(n_layers=n_layers, activation=activation, n_channels=16, n_hidden=32)
    sizes: list[float] = []
    for layer in trunk.layer_blocks:
        layer.register_forward_hook(
            lambda _m, _i, out: sizes.append(float(out.detach().square().mean().sqrt()))
        )
    species, positions = ethanol
    with torch.no_grad():
        trunk(build_graph(species, positions, 6.0), torch.as_tensor(species))
    assert len(sizes) == n_layers
    assert 0.05 < min(sizes)
    assert max(sizes) < 10


def test_edge_scalars_are_smooth_in_the_distance(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk(distance_spacing=0.02, edge_channels=32)
    expansion = trunk.get_submodule("layer_blocks.0.message_block.edge_block.fc1_dist")
    distances = torch.linspace(1.0, 5.0, 401, dtype=torch.float64)
    values = expansion(trunk.distance_expansion(distances)).detach()
    assert 0.3 < float(values.std(0).mean()) < 2
    assert float(values.diff(dim=0).abs().max()) < 0.2  # over 0.01 Å
