"""Building blocks that commute with rotations and reflections exactly.

Node features have shape ``(n_nodes, n_channels, (lmax + 1)^2)``; the component (l, m) of every
channel has parity (-1)^l, a property that pointwise products on the sphere keep.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from scdp_models.nn.sphere import SphereGrid

__all__ = ["DegreeLinear", "QuadraticBlock", "degree_index"]


def degree_index(lmax: int) -> torch.Tensor:
    """Return the degree l of each of the (lmax + 1)^2 components."""
    return torch.repeat_interleave(torch.arange(lmax + 1), 2 * torch.arange(lmax + 1) + 1)


class DegreeLinear(nn.Module):
    """Mix channels with one matrix per degree.

    Parameters
    ----------
    n_in, n_out
        Channels.
    lmax
        Highest degree.
    """

    degree: torch.Tensor

    def __init__(self, n_in: int, n_out: int, lmax: int) -> None:
        super().__init__()
        self.lmax = lmax
        self.weight = nn.Parameter(torch.randn(lmax + 1, n_out, n_in) / math.sqrt(n_in))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n, n_in, (lmax + 1)^2)`` to ``(n, n_out, (lmax + 1)^2)``."""
        blocks = [self.weight[l] @ x[:, :, l * l : (l + 1) ** 2] for l in range(self.lmax + 1)]
        return torch.cat(blocks, dim=2)


class QuadraticBlock(nn.Module):
    """Residual block: product of two linear maps on the sphere, gated by scalars.

    h <- h + gate(h_0) * P[(A h)(B h)], with P the projection back on harmonics. The product
    couples all degrees with all others at the price of two small matrix products.

    Parameters
    ----------
    n_channels
        Channels.
    lmax
        Highest degree.
    """

    degree: torch.Tensor

    def __init__(self, n_channels: int, lmax: int) -> None:
        super().__init__()
        self.grid = SphereGrid(lmax)
        self.left = DegreeLinear(n_channels, n_channels, lmax)
        self.right = DegreeLinear(n_channels, n_channels, lmax)
        self.out = DegreeLinear(n_channels, n_channels, lmax)
        self.gate = nn.Linear(n_channels, n_channels * (lmax + 1))
        self.lmax = lmax
        self.register_buffer("degree", degree_index(lmax), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n, n_channels, (lmax + 1)^2)`` features to features of the same shape."""
        product = self.grid.to_grid(self.left(x)) * self.grid.to_grid(self.right(x))
        update: torch.Tensor = self.out(self.grid.from_grid(product))
        gates = torch.sigmoid(self.gate(x[:, :, 0])).view(len(x), -1, self.lmax + 1)
        return x + gates[:, :, self.degree] * update
