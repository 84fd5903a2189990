"""Linear layers that commute with rotations about the edge, steered by edge scalars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import silu

from scdp_models.nn.escn.wigner import order_slices

if TYPE_CHECKING:
    from scdp_models.nn.escn.config import EscnConfig

__all__ = ["SO2Block", "SO2Conv"]


class SO2Conv(nn.Module):
    """Mix degrees and channels of one order m > 0.

    With F(z) = fc2(fc1(z) * gate), the published layer is the complex product
    y+ = F_r(x+) - F_i(x-), y- = F_r(x-) + F_i(x+). A reflection that keeps the edge in place
    changes the sign of x- alone, so only F_r is there unless the mode is legacy.

    Parameters
    ----------
    config
        Hyper-parameters.
    m
        Order.
    """

    def __init__(self, config: EscnConfig, m: int) -> None:
        super().__init__()
        width, hidden = (config.lmax + 1 - m) * config.n_channels, config.n_hidden
        self.imaginary = config.legacy
        self.fc1_dist = nn.Linear(config.edge_channels, hidden * (2 if self.imaginary else 1))
        self.fc1_r = nn.Linear(width, hidden, bias=False)
        self.fc2_r = nn.Linear(hidden, width, bias=False)
        if self.imaginary:
            self.fc1_i = nn.Linear(width, hidden, bias=False)
            self.fc2_i = nn.Linear(hidden, width, bias=False)

    def weights(self, name: str) -> list[torch.Tensor]:
        """Return the real and, where there is one, the imaginary matrix of "fc1" or "fc2"."""
        parts = ("r", "i") if self.imaginary else ("r",)
        return [self.get_parameter(f"{name}_{part}.weight") for part in parts]

    def forward(self, x: torch.Tensor, x_edge: torch.Tensor) -> torch.Tensor:
        """Map ``(n_edges, 2, width)``, +m before -m, to the same shape."""
        gates = silu(self.fc1_dist(x_edge))[:, None]
        if not self.imaginary:
            real: torch.Tensor = self.fc2_r(self.fc1_r(x) * gates)
            return real
        gate_r, gate_i = gates.chunk(2, dim=2)
        real = self.fc2_r(self.fc1_r(x) * gate_r)
        imaginary = self.fc2_i(self.fc1_i(x) * gate_i)
        return real + torch.stack([-imaginary[:, 1], imaginary[:, 0]], dim=1)


class SO2Block(nn.Module):
    """Mix degrees and channels within each order.

    Parameters
    ----------
    config
        Hyper-parameters.
    """

    def __init__(self, config: EscnConfig) -> None:
        super().__init__()
        width = (config.lmax + 1) * config.n_channels
        self.slices = order_slices(config.lmax, config.mmax)
        self.fc1_dist0 = nn.Linear(config.edge_channels, config.n_hidden)
        self.fc1_m0 = nn.Linear(width, config.n_hidden, bias=False)
        self.fc2_m0 = nn.Linear(config.n_hidden, width, bias=False)
        self.so2_conv = nn.ModuleList(SO2Conv(config, m) for m in range(1, config.mmax + 1))

    def _convolutions(self) -> list[SO2Conv]:
        return [module for module in self.so2_conv if isinstance(module, SO2Conv)]

    @property
    def imaginary(self) -> bool:
        """Whether orders m > 0 have an imaginary part."""
        return any(convolution.imaginary for convolution in self._convolutions())

    def first_weights(self) -> list[list[torch.Tensor]]:
        """Return the first matrices of each order: (hidden, degrees times channels)."""
        return [[self.fc1_m0.weight], *(conv.weights("fc1") for conv in self._convolutions())]

    def second_weights(self) -> list[list[torch.Tensor]]:
        """Return the second matrices of each order: (degrees times channels, hidden)."""
        return [[self.fc2_m0.weight], *(conv.weights("fc2") for conv in self._convolutions())]

    def gates(self, x_edge: torch.Tensor) -> list[torch.Tensor]:
        """Return the gates of each order, (n_edges, hidden), twice that with imaginary parts."""
        linears = [self.fc1_dist0, *(conv.fc1_dist for conv in self._convolutions())]
        return [silu(linear(x_edge)) for linear in linears]

    def forward(self, x: torch.Tensor, x_edge: torch.Tensor) -> torch.Tensor:
        """Map components in the frame of the edge, ``(n_edges, n_rows, n_channels)``."""
        scalars = x[:, self.slices[0]].flatten(1)
        scalars = self.fc2_m0(self.fc1_m0(scalars) * silu(self.fc1_dist0(x_edge)))
        out = [scalars]
        for part, convolution in zip(self.slices[1:], self.so2_conv, strict=True):
            both = x[:, part].unflatten(1, (2, (part.stop - part.start) // 2)).flatten(2)
            out.append(convolution(both, x_edge).flatten(1))
        return torch.cat(out, dim=1).view(x.shape)
