"""Quadratic products of node features: every pair of channels, one matrix product per path.

out[w, m3] = sum over paths a sum_(u,v,m1,m2) W[u,v,w] c[m1,m2,m3] x_l1[u,m1] x_l2[v,m2]

The order of the sums makes it fast: first over u (one large matrix product whose right factor is
the weights as they are stored), then over v, and only then over the few components.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn

from scdp_models.harmonics import gaunt

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ProductPath", "QuadraticProduct", "published_features"]


class ProductPath(NamedTuple):
    """One coupling of two degrees to a third, and where its weights are in the flat array."""

    l1: int
    l2: int
    l3: int
    weights: slice
    scale: float


def published_features(features: torch.Tensor) -> list[torch.Tensor]:
    """Return the blocks of each degree as the published readout takes them.

    The published model stores a block as (component, channel) and hands it to a tensor product
    that reads (channel, component). The mixture is not equivariant; published weights need it.

    Parameters
    ----------
    features
        Shape ``(n_nodes, n_channels, (lmax + 1)^2)``.

    Returns
    -------
    list of torch.Tensor
        Shape ``(n_nodes, n_channels, 2 l + 1)`` for each degree.
    """
    return [block.transpose(1, 2).reshape(block.shape) for block in _degree_blocks(features)]


def _degree_blocks(features: torch.Tensor) -> list[torch.Tensor]:
    n_degrees = round(sqrt(features.shape[2]))
    return [features[:, :, l * l : (l + 1) ** 2] for l in range(n_degrees)]


class _Couplings(nn.Module):
    """The 3j tensors of the published model, under the names its checkpoints give them."""

    def __init__(self, paths: Sequence[ProductPath]) -> None:
        super().__init__()
        from e3nn.o3 import wigner_3j

        for l1, l2, l3, *_ in paths:
            if min(l1, l2, l3) > 0:
                tensor = wigner_3j(l1, l2, l3, dtype=torch.float64)
                self.register_buffer(f"_w3j_{l1}_{l2}_{l3}", tensor)

    def tensor(self, l1: int, l2: int, l3: int) -> torch.Tensor:
        """Return the 3j tensor of a path, Frobenius norm 1."""
        if min(l1, l2, l3) > 0:
            return self.get_buffer(f"_w3j_{l1}_{l2}_{l3}")
        size = 2 * max(l1, l2, l3) + 1
        identity = torch.eye(size, dtype=torch.float64) / sqrt(size)
        return identity.reshape(2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1)


class QuadraticProduct(nn.Module):
    """All products of two features of each degree, mixed by weights.

    Parameters
    ----------
    n_channels, lmax
        Width and highest degree of the features.
    outputs
        Number of outputs of each degree l = 0, 1, ...
    legacy
        False: couplings with l1 + l2 + l3 even in the convention of
        :mod:`scdp_models.harmonics`, so that outputs turn and reflect as functions of degree l do;
        pairs of degrees are taken once. True: the published product, which admits l1 + l2 even,
        takes its 3j tensors from the checkpoint and needs :func:`published_features`. Names and
        order of its weights are those of the checkpoints.

    Notes
    -----
    Scale of a path: a = sqrt((2 l3 + 1) / (n_channels^2 * number of paths into l3)), 3j tensors of
    Frobenius norm 1 (e3nn's component normalisation).
    """

    def __init__(
        self, n_channels: int, lmax: int, outputs: Sequence[int], *, legacy: bool = False
    ) -> None:
        super().__init__()
        self.n_channels, self.outputs, self.legacy = n_channels, tuple(outputs), legacy
        self.paths = self._find_paths(lmax)
        n_weights = self.paths[-1].weights.stop if self.paths else 0
        self.weight = nn.Parameter(torch.randn(n_weights))
        if legacy:
            self._compiled_main_left_right = _Couplings(self.paths)
            self.register_buffer("output_mask", self._reached())
            return
        for path in self.paths:
            values = gaunt(path.l1, path.l2, path.l3)
            unit = torch.as_tensor(values / np.linalg.norm(values))
            name = f"coupling_{path.l1}_{path.l2}_{path.l3}"
            self.register_buffer(name, unit, persistent=False)

    def _find_paths(self, lmax: int) -> list[ProductPath]:
        triples = [
            (l1, l2, l3)
            for l1 in range(lmax + 1)
            for l2 in range(0 if self.legacy else l1, lmax + 1)
            for l3 in range(abs(l1 - l2), min(l1 + l2, len(self.outputs) - 1) + 1)
            if self.outputs[l3] and (l1 + l2 + (0 if self.legacy else l3)) % 2 == 0
        ]
        into = [sum(triple[2] == l for triple in triples) for l in range(len(self.outputs))]
        paths, start = [], 0
        for l1, l2, l3 in triples:
            stop = start + self.n_channels**2 * self.outputs[l3]
            scale = sqrt((2 * l3 + 1) / into[l3]) / self.n_channels
            paths.append(ProductPath(l1, l2, l3, slice(start, stop), scale))
            start = stop
        return paths

    def _reached(self) -> torch.Tensor:
        """Return 1 for each output component that some path leads to."""
        degrees = {path.l3 for path in self.paths}
        return torch.cat(
            [
                torch.full((n * (2 * l + 1),), float(l in degrees))
                for l, n in enumerate(self.outputs)
            ]
        )

    def _coupling(self, path: ProductPath) -> torch.Tensor:
        """Return the coupling of a path, shape ``((2 l1 + 1)(2 l2 + 1), 2 l3 + 1)``."""
        if self.legacy:
            tensor = self._compiled_main_left_right.tensor(path.l1, path.l2, path.l3)
        else:
            tensor = self.get_buffer(f"coupling_{path.l1}_{path.l2}_{path.l3}")
        return (path.scale * tensor).reshape(-1, 2 * path.l3 + 1)

    def forward(self, features: torch.Tensor) -> list[torch.Tensor]:
        """Map features ``(n_nodes, n_channels, (lmax + 1)^2)`` to outputs.

        Returns
        -------
        list of torch.Tensor
            Shape ``(n_nodes, n_outputs of l, 2 l + 1)`` for each degree; zeros where no path
            leads.
        """
        blocks = published_features(features) if self.legacy else _degree_blocks(features)
        rows = [block.transpose(1, 2).contiguous() for block in blocks]
        out = [features.new_zeros(len(features), n, 2 * l + 1) for l, n in enumerate(self.outputs)]
        for path in self.paths:
            out[path.l3] = out[path.l3] + self._product(path, rows[path.l1], rows[path.l2])
        return out

    def _product(self, path: ProductPath, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Return the term of one path from blocks of shape ``(n_nodes, 2 l + 1, n_channels)``."""
        n_nodes, size, channels = left.shape
        width = self.outputs[path.l3]
        weight = self.weight[path.weights].view(channels, channels * width)
        half = (left.reshape(-1, channels) @ weight).view(n_nodes, size, channels, width)
        pairs = (right.unsqueeze(1) @ half).reshape(n_nodes, -1, width)
        coupling = self._coupling(path).to(device=pairs.device, dtype=pairs.dtype)
        return pairs.transpose(1, 2) @ coupling
