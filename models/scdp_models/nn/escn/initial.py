"""Random weights that keep the size of features from layer to layer."""

from __future__ import annotations

import math

import torch
from torch import nn

from scdp_models.nn.escn.edges import EdgeBlock
from scdp_models.nn.escn.layers import SphereLayer
from scdp_models.nn.escn.so2 import SO2Block, SO2Conv

__all__ = ["balance_weights"]

_SILU = 1.68  # 1 / root mean square of SiLU(x) for normal x
_WAVES = 8  # half waves of the distance between 0 and the cut-off


def _scale(layer: nn.Linear, gain: float = 1.0) -> None:
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.in_features))


def _smooth_in_distance(layer: nn.Linear) -> None:
    """Make each output a smooth random function of the distance, of unit size.

    Independent weights would make it jump from one Gaussian to the next. Gaussians as wide as they
    are apart sum up to sqrt(2 pi).
    """
    position = torch.linspace(0, math.pi, layer.in_features)
    waves = torch.cos(torch.arange(_WAVES)[:, None] * position)
    mix = torch.randn(layer.out_features, _WAVES) * math.sqrt(2 / _WAVES)
    with torch.no_grad():
        layer.weight.copy_(mix @ waves / math.sqrt(2 * math.pi))


def _balance_edge_block(block: EdgeBlock) -> None:
    _smooth_in_distance(block.fc1_dist)
    _scale(block.fc1_edge_attr, _SILU)
    nn.init.normal_(block.source_embedding.weight)
    nn.init.normal_(block.target_embedding.weight)


def _balance_block(block: SO2Block) -> None:
    _scale(block.fc1_dist0, _SILU)
    _scale(block.fc1_m0)
    # Two blocks are summed.
    _scale(block.fc2_m0, _SILU / math.sqrt(2))


def _balance_convolution(convolution: SO2Conv) -> None:
    _scale(convolution.fc1_dist, _SILU)
    _scale(convolution.fc1_r)
    _scale(convolution.fc2_r, _SILU / math.sqrt(2))


def _balance_layer(layer: SphereLayer) -> None:
    _scale(layer.fc1_sphere)
    _scale(layer.fc2_sphere, _SILU)
    _scale(layer.fc3_sphere, _SILU)


def balance_weights(trunk: nn.Module) -> None:
    """Draw the weights of an equivariant trunk anew.

    The published ones (those of ``torch.nn.Linear``) shrink features by an order of magnitude per
    layer, and make edge scalars that hardly know distances and species.
    """
    for module in trunk.modules():
        if isinstance(module, EdgeBlock):
            _balance_edge_block(module)
        elif isinstance(module, SO2Block):
            _balance_block(module)
        elif isinstance(module, SO2Conv):
            _balance_convolution(module)
        elif isinstance(module, SphereLayer):
            _balance_layer(module)
