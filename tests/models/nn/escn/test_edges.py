"""Scalars of edges."""

from __future__ import annotations

import torch

from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.edges import EdgeBlock, EdgeData, GaussianExpansion


def test_the_published_expansion_has_300_gaussians() -> None:
    expansion = GaussianExpansion(6.0, 0.02)
    assert expansion.offset.shape == (300,)
    values = expansion(torch.tensor([0.0, 6.0], dtype=torch.float64))
    assert float(values[0].argmax()) == 0
    assert float(values[1].argmax()) == 299
    # Half a spacing away a Gaussian as wide as the spacing is exp(-1/8).
    half = expansion(torch.tensor([expansion.width / 2], dtype=torch.float64))
    assert abs(float(half.max()) - 0.8825) < 1e-4


def test_scalars_depend_on_length_and_on_which_end_is_which() -> None:
    config = EscnConfig(edge_channels=4, distance_spacing=0.5)
    block, expansion = EdgeBlock(config, 2, 12), GaussianExpansion(6.0, 0.5)
    ends = (torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0]))
    expanded = expansion(torch.tensor([1.0, 2.0, 1.0]))
    scalars = block(EdgeData(expanded, *ends, *ends, torch.zeros(0), None))
    assert scalars.shape == (3, 4)
    assert not torch.equal(scalars[0], scalars[1])
    assert not torch.equal(scalars[0], scalars[2])
