"""Message passing along edges, and the update of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import silu

from scdp_models.nn.equivariant import DegreeLinear, degree_index
from scdp_models.nn.escn.edges import EdgeBlock, EdgeData
from scdp_models.nn.escn.inference import quick_messages
from scdp_models.nn.escn.so2 import SO2Block
from scdp_models.nn.escn.sphere_grid import ActivationGrid
from scdp_models.nn.escn.wigner import order_slices
from scdp_models.nn.sphere import SphereGrid

if TYPE_CHECKING:
    from scdp_models.nn.escn.config import EscnConfig

__all__ = ["DegreeNorm", "EdgeGate", "GatedLayer", "MessageBlock", "SphereLayer"]


class EdgeGate(nn.Module):
    """Multiply all components of a degree and channel by the sigmoid of the one with m = 0.

    In the frame of an edge m = 0 is invariant, and for it this is SiLU; what turns with the roll
    about the edge keeps its direction.

    Parameters
    ----------
    lmax, mmax
        Highest degree and order.
    """

    def __init__(self, lmax: int, mmax: int) -> None:
        super().__init__()
        self.slices = order_slices(lmax, mmax)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n_edges, n_rows, n_channels)`` to the same shape."""
        n_edges, _, channels = x.shape
        gates = torch.sigmoid(x[:, self.slices[0]])
        out = [x[:, self.slices[0]] * gates]
        for m, part in enumerate(self.slices[1:], start=1):
            size = part.stop - part.start
            pairs = x[:, part].view(n_edges, 2, size // 2, channels)
            out.append((pairs * gates[:, None, m:]).view(n_edges, size, channels))
        return torch.cat(out, dim=1)

    def quick(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n_rows, n_edges, n_channels)`` in place, without gradients."""
        gates = torch.sigmoid(x[self.slices[0]])
        x[self.slices[0]].mul_(gates)
        for m, part in enumerate(self.slices[1:], start=1):
            x[part].unflatten(0, (2, -1)).mul_(gates[m:])
        return x


class EdgeGrid(nn.Module):
    """SiLU of the values on a grid around the edge.

    Parameters
    ----------
    config
        Hyper-parameters.
    """

    def __init__(self, config: EscnConfig) -> None:
        super().__init__()
        self.grid = ActivationGrid(
            config.lmax, config.mmax, oversampling=config.oversampling, by_order=True
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n_edges, n_rows, n_channels)`` to the same shape."""
        return self.grid.from_grid(silu(self.grid.to_grid(x.transpose(1, 2)))).transpose(1, 2)

    def quick(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n_rows, n_edges, n_channels)`` to the same shape, without gradients."""
        values = silu(self.grid.evaluate.T.to(x.dtype) @ x.flatten(1), inplace=True)
        return (self.grid.project.T.to(x.dtype) @ values).view(x.shape)


class DegreeNorm(nn.Module):
    """Bound features smoothly: x / sqrt(1 + p), p the mean square over channels.

    The scalars have a mean of their own, all other degrees share one. What is small passes
    unchanged; what is large gets unit size, so that deep stacks of products stay finite.

    Parameters
    ----------
    n_channels, lmax
        Channels and highest degree.
    """

    degree: torch.Tensor
    balance: torch.Tensor

    def __init__(self, n_channels: int, lmax: int) -> None:
        super().__init__()
        degree = degree_index(lmax)
        self.weight = nn.Parameter(torch.ones(n_channels, lmax + 1))
        self.register_buffer("degree", degree, persistent=False)
        # Every degree counts the same, however many components it has.
        balance = 1.0 / ((2 * degree[1:] + 1) * max(lmax, 1) * n_channels).double()
        self.register_buffer("balance", balance, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(n, n_channels, (lmax + 1)^2)`` to the same shape."""
        scalars, rest = x[..., :1], x[..., 1:]
        power = (rest.square() * self.balance.to(rest.dtype)).sum((1, 2), keepdim=True)
        mean = scalars.square().mean(1, keepdim=True)
        parts = [torch.rsqrt(1 + mean) * scalars, torch.rsqrt(1 + power) * rest]
        return torch.cat(parts, dim=2) * self.weight[:, self.degree]


class MessageBlock(nn.Module):
    """Sum over the neighbours of what the SO(2) layers make of both ends of an edge.

    Parameters
    ----------
    config
        Hyper-parameters.
    n_species, n_gaussians
        Sizes of the inputs of the edge scalars.
    """

    def __init__(self, config: EscnConfig, n_species: int, n_gaussians: int) -> None:
        super().__init__()
        self.edge_block = EdgeBlock(config, n_species, n_gaussians)
        self.so2_block_source = SO2Block(config)
        self.so2_block_target = SO2Block(config)
        gate = EdgeGate(config.lmax, config.mmax)
        self.activation = EdgeGrid(config) if config.on_grid else gate

    def forward(self, x: torch.Tensor, edges: EdgeData) -> torch.Tensor:
        """Map node features ``(n, n_channels, (lmax + 1)^2)`` to messages of that shape."""
        if edges.plan is not None:
            return quick_messages(self, x, edges, edges.plan)
        x_edge = self.edge_block(edges)
        rows = x.transpose(1, 2).contiguous()
        mixed = self.so2_block_source(edges.wigner @ rows.index_select(0, edges.source), x_edge)
        mixed = mixed + self.so2_block_target(
            edges.wigner @ rows.index_select(0, edges.target), x_edge
        )
        mixed = self.activation(mixed)
        if edges.strength is not None:
            mixed = mixed * edges.strength[:, None, None]
        sent: torch.Tensor = mixed.transpose(1, 2) @ edges.wigner
        return sent.new_zeros(x.shape).index_add(0, edges.target, sent)


class SphereLayer(nn.Module):
    """Message passing, then a perceptron of the values on a sphere grid.

    Parameters
    ----------
    config
        Hyper-parameters.
    n_species, n_gaussians
        Sizes of the inputs of the edge scalars.
    """

    def __init__(self, config: EscnConfig, n_species: int, n_gaussians: int) -> None:
        super().__init__()
        channels, lmax = config.n_channels, config.lmax
        self.norm = nn.Identity() if config.legacy else DegreeNorm(channels, lmax)
        self.message_block = MessageBlock(config, n_species, n_gaussians)
        self.grid = ActivationGrid(lmax, lmax, oversampling=config.oversampling)
        self.fc1_sphere = nn.Linear(2 * channels, channels, bias=False)
        self.fc2_sphere = nn.Linear(channels, channels, bias=False)
        self.fc3_sphere = nn.Linear(channels, channels, bias=False)

    def forward(self, x: torch.Tensor, edges: EdgeData) -> torch.Tensor:
        """Map ``(n, n_channels, (lmax + 1)^2)`` to the change of the same shape."""
        x = self.norm(x)
        both = torch.cat([x, self.message_block(x, edges)], dim=1)
        # What is linear in the values is the same on the fewer coefficients.
        first = self.fc1_sphere.weight @ both
        values = silu(self.fc2_sphere(silu(self.grid.to_grid(first).transpose(1, 2))))
        change: torch.Tensor = self.fc3_sphere.weight @ self.grid.from_grid(values.transpose(1, 2))
        return change


class GatedLayer(nn.Module):
    """Message passing, then products on the sphere and linear maps gated by scalars.

    With u = (x, message): x <- x + O[gate(u_0) * (A u + P[(B u)(C u)])], P the exact projection of
    the product on harmonics.

    Parameters
    ----------
    config
        Hyper-parameters.
    n_species, n_gaussians
        Sizes of the inputs of the edge scalars.
    """

    spread: torch.Tensor

    def __init__(self, config: EscnConfig, n_species: int, n_gaussians: int) -> None:
        super().__init__()
        channels, lmax = config.n_channels, config.lmax
        self.shape = (channels, lmax + 1)
        self.norm = DegreeNorm(channels, lmax)
        self.message_block = MessageBlock(config, n_species, n_gaussians)
        self.grid = SphereGrid(lmax)
        self.mix = DegreeLinear(2 * channels, 3 * channels, lmax)
        self.gate = nn.Linear(2 * channels, channels * (lmax + 1))
        self.out = DegreeLinear(channels, channels, lmax)
        spread = nn.functional.one_hot(degree_index(lmax)).T
        self.register_buffer("spread", spread.double(), persistent=False)

    def forward(self, x: torch.Tensor, edges: EdgeData) -> torch.Tensor:
        """Map ``(n, n_channels, (lmax + 1)^2)`` to the change of the same shape."""
        x = self.norm(x)
        both = torch.cat([x, self.message_block(x, edges)], dim=1)
        straight, left, right = self.mix(both).chunk(3, dim=1)
        product = self.grid.from_grid(self.grid.to_grid(left) * self.grid.to_grid(right))
        # A product with ones and zeros: its derivative is one too, and quicker than that of a
        # selection by index.
        gates = torch.sigmoid(self.gate(both[:, :, 0])).view(-1, *self.shape)
        gates = gates @ self.spread.to(gates.dtype)
        change: torch.Tensor = self.out(gates * (straight + product))
        return change
