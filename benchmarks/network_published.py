"""The published network, to be compared with: eSCN layers and e3nn's tensor product, plainly.

As the published code does it: features of both ends of every edge are turned into its frame by
batched matrix products, mixed by the SO(2) layers, activated on a sphere grid by ``einsum``, turned
back and summed; the readout is e3nn's compiled ``FullyConnectedTensorProduct``. Where there was a
choice the quicker was taken: rows of the Wigner matrices are in the order of the SO(2) layers, they
and the grids are made once, nothing is computed that needs gradients only.
``tests/benchmarks/test_network_published.py`` holds it against outputs of the published code.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from e3nn.o3 import (
    FromS2Grid,
    FullyConnectedTensorProduct,
    Irreps,
    ToS2Grid,
    matrix_to_angles,
    wigner_D,
)
from torch.nn.functional import embedding, linear, silu

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scdp_models.nn.escn.config import EscnConfig

__all__ = ["Edges", "PublishedNetwork", "published_names"]

_PREFIXES = {"trunk.": "", "readout.product.": "orbit_readout."}


def published_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the weights of our legacy network, or of a published checkpoint, for this one."""
    renamed = {}
    for name, tensor in state.items():
        for prefix, other in {**_PREFIXES, "model.": ""}.items():
            if name.startswith(prefix):
                renamed[other + name.removeprefix(prefix)] = tensor
    return renamed


class Edges(NamedTuple):
    """Edges of a structure.

    Attributes
    ----------
    source, target
        Shape ``(n_edges,)``.
    distances
        Shape ``(n_edges,)``, Å.
    rotations
        Shape ``(n_edges, 3, 3)``: turn the vector from source to target on y.
    """

    source: torch.Tensor
    target: torch.Tensor
    distances: torch.Tensor
    rotations: torch.Tensor


def _about_y(l: int, angles: torch.Tensor) -> torch.Tensor:
    """Return matrices of degree l of rotations about the polar axis, as dense as published."""
    matrices = angles.new_zeros(len(angles), 2 * l + 1, 2 * l + 1)
    m = torch.arange(-l, l + 1)
    matrices[:, m + l, l - m] = torch.sin(-m * angles[:, None])
    matrices[:, m + l, m + l] = torch.cos(m * angles[:, None])
    return matrices


class PublishedNetwork:
    """The published network with fixed exponents.

    Parameters
    ----------
    config
        Sizes of the trunk.
    state
        Weights, named by :func:`published_names`.
    outputs
        Number of shells of each degree.
    """

    def __init__(
        self, config: EscnConfig, state: Mapping[str, torch.Tensor], outputs: Sequence[int]
    ) -> None:
        self.config, self.state = config, dict(state)
        lmax, channels = config.lmax, config.n_channels
        even = Irreps([(n, (l, 1)) for l, n in enumerate(outputs)])
        features = Irreps([(channels, (l, (-1) ** l)) for l in range(lmax + 1)])
        self.readout = FullyConnectedTensorProduct(features, features, even)
        own = {k.removeprefix("orbit_readout."): v for k, v in state.items() if "readout" in k}
        self.readout.load_state_dict(own)
        dtype = state["sphere_embedding.weight"].dtype
        self.readout.to(dtype)
        # Exchanges x and y, so that a rotation about x is one about y between two of these.
        swap = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]).double()
        angles = matrix_to_angles(swap)
        self.swaps = [wigner_D(l, *angles).to(dtype) for l in range(lmax + 1)]
        self.rows, self.sizes = self._rows()
        self.edge_grid = self._grid(config.mmax, self.rows, dtype)
        self.node_grid = self._grid(lmax, list(range((lmax + 1) ** 2)), dtype)

    def _rows(self) -> tuple[list[int], list[int]]:
        """Return the components |m| <= mmax, order after order, and how many of each order."""
        lmax, rows = self.config.lmax, []
        for m in range(self.config.mmax + 1):
            for sign in (1, -1) if m else (1,):
                rows += [l * l + l + sign * m for l in range(m, lmax + 1)]
        return rows, [lmax + 1 - m for m in range(self.config.mmax + 1)]

    def _grid(
        self, mmax: int, rows: list[int], dtype: torch.dtype
    ) -> tuple[torch.Tensor, torch.Tensor]:
        lmax = self.config.lmax
        n_polar, n_azimuth = 2 * (lmax + 1), 2 * mmax + 1
        if mmax == lmax:
            n_azimuth = 2 * (mmax + 1) + 1
        size = (n_polar, n_azimuth)
        to_grid = ToS2Grid(lmax, size, normalization="integral", dtype=torch.float64)
        from_grid = FromS2Grid(size, lmax, normalization="integral", dtype=torch.float64)
        evaluate = torch.einsum("mbi,am->bai", to_grid.shb, to_grid.sha)
        project = torch.einsum("am,mbi->bai", from_grid.sha, from_grid.shb)
        return evaluate[:, :, rows].to(dtype), project[:, :, rows].to(dtype)

    def _wigner(self, rotations: torch.Tensor) -> torch.Tensor:
        """Return the rows of the Wigner matrices that are needed."""
        axis = torch.nn.functional.normalize(rotations[:, :, 1], dim=1).clamp(-1, 1)
        alpha, beta = torch.atan2(axis[:, 0], axis[:, 2]), torch.acos(axis[:, 1])
        tilt = _about_y(1, alpha) @ self._about_x(1, beta)
        rest = tilt.transpose(1, 2) @ rotations
        gamma = torch.atan2(rest[:, 0, 2], rest[:, 0, 0])
        size = (self.config.lmax + 1) ** 2
        wigner = rotations.new_zeros(len(rotations), size, size)
        for l in range(self.config.lmax + 1):
            block = _about_y(l, alpha) @ self._about_x(l, beta) @ _about_y(l, gamma)
            wigner[:, l * l : (l + 1) ** 2, l * l : (l + 1) ** 2] = block
        return wigner[:, self.rows]

    def _about_x(self, l: int, angles: torch.Tensor) -> torch.Tensor:
        swap: torch.Tensor = self.swaps[l]
        return swap @ _about_y(l, angles) @ swap

    def __call__(
        self, numbers: torch.Tensor, edges: Edges, n_functions: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features ``(n_nodes, (lmax + 1)^2, n_channels)`` and rows of coefficients.

        Parameters
        ----------
        numbers
            Atomic numbers ``(n_nodes,)``, 0 for virtual nodes.
        edges
            Edges.
        n_functions
            Functions of all nodes together.
        """
        config = self.config
        wigner = self._wigner(edges.rotations)
        centres = torch.linspace(0.0, config.cutoff, int(config.cutoff / config.distance_spacing))
        width = centres[1] - centres[0]
        scaled = (edges.distances[:, None] - centres.to(edges.distances)) / width
        expanded = torch.exp(-0.5 * scaled**2)
        scalars = embedding(numbers, self.state["sphere_embedding.weight"])
        x = scalars.new_zeros(len(numbers), (config.lmax + 1) ** 2, config.n_channels)
        x[:, 0] = scalars
        for k in range(config.n_layers):
            change = self._layer(f"layer_blocks.{k}.", x, numbers, edges, wigner, expanded)
            x = x + change if k else change
        flat = torch.cat([part.flatten(1) for part in x.split(_degrees(config.lmax), 1)], dim=1)
        return x, self.readout(flat, flat) / math.sqrt(n_functions)

    def _layer(
        self,
        name: str,
        x: torch.Tensor,
        numbers: torch.Tensor,
        edges: Edges,
        wigner: torch.Tensor,
        expanded: torch.Tensor,
    ) -> torch.Tensor:
        block = name + "message_block."
        edge = block + "edge_block."
        ends = embedding(numbers[edges.source], self.state[edge + "source_embedding.weight"])
        ends = ends + embedding(numbers[edges.target], self.state[edge + "target_embedding.weight"])
        x_edge = silu(ends + self._linear(edge + "fc1_dist", expanded))
        x_edge = silu(self._linear(edge + "fc1_edge_attr", x_edge))
        sides = {"source": edges.source, "target": edges.target}
        mixed = [
            self._so2(f"{block}so2_block_{side}.", torch.bmm(wigner, x[nodes]), x_edge)
            for side, nodes in sides.items()
        ]
        to_grid, from_grid = self.edge_grid
        values = silu(torch.einsum("bai,zic->zbac", to_grid, mixed[0] + mixed[1]))
        sent = torch.bmm(wigner.transpose(1, 2), torch.einsum("bai,zbac->zic", from_grid, values))
        message = torch.zeros_like(x).index_add(0, edges.target, sent)
        to_grid, from_grid = self.node_grid
        both = [torch.einsum("bai,zic->zbac", to_grid, part) for part in (x, message)]
        values = silu(self._linear(name + "fc1_sphere", torch.cat(both, dim=3)))
        values = silu(self._linear(name + "fc2_sphere", values))
        values = self._linear(name + "fc3_sphere", values)
        return torch.einsum("bai,zbac->zic", from_grid, values)

    def _so2(self, name: str, x: torch.Tensor, x_edge: torch.Tensor) -> torch.Tensor:
        parts = x.split([n * (2 if m else 1) for m, n in enumerate(self.sizes)], dim=1)
        gate = silu(self._linear(name + "fc1_dist0", x_edge))
        scalars = self._linear(name + "fc1_m0", parts[0].flatten(1)) * gate
        out = [self._linear(name + "fc2_m0", scalars).view(parts[0].shape)]
        for m, part in enumerate(parts[1:]):
            own = f"{name}so2_conv.{m}."
            gates = silu(self._linear(own + "fc1_dist", x_edge)).chunk(2, dim=1)
            both = part.reshape(len(part), 2, -1)
            real, imaginary = (
                self._linear(own + f"fc2_{c}", self._linear(own + f"fc1_{c}", both) * g[:, None])
                for c, g in zip("ri", gates, strict=True)
            )
            plus, minus = real[:, 0] - imaginary[:, 1], real[:, 1] + imaginary[:, 0]
            out.append(torch.stack([plus, minus], dim=1).view(part.shape))
        return torch.cat(out, dim=1)

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.state[name + ".weight"], self.state.get(name + ".bias"))


def _degrees(lmax: int) -> list[int]:
    return [2 * l + 1 for l in range(lmax + 1)]
