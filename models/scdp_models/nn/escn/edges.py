"""Scalars of an edge: its length and the species at its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn.functional import silu

if TYPE_CHECKING:
    from scdp_models.nn.escn.config import EscnConfig
    from scdp_models.nn.escn.inference import MessagePlan

__all__ = ["EdgeBlock", "EdgeData", "GaussianExpansion"]


class EdgeData(NamedTuple):
    """What the layers know of the edges.

    ``expanded`` ``(n_edges, n_gaussians)``: distances; ``source``, ``target`` ``(n_edges,)``: node
    indices; ``source_species``, ``target_species`` ``(n_edges,)``; ``wigner``
    ``(n_edges, n_rows, (lmax + 1)^2)``: rotations into the frames of the edges; ``strength``
    ``(n_edges,)``: factors on the messages, None for ones; ``plan``: how to compute without
    gradients, None with.
    """

    expanded: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    source_species: torch.Tensor
    target_species: torch.Tensor
    wigner: torch.Tensor
    strength: torch.Tensor | None
    plan: MessagePlan | None = None

    def permuted(self, order: torch.Tensor) -> EdgeData:
        """Return the edges in another order, without a plan."""
        return EdgeData(
            expanded=self.expanded[order],
            source=self.source[order],
            target=self.target[order],
            source_species=self.source_species[order],
            target_species=self.target_species[order],
            wigner=self.wigner[order],
            strength=None if self.strength is None else self.strength[order],
        )


class GaussianExpansion(nn.Module):
    """Gaussians of the distance, as wide as they are apart.

    Parameters
    ----------
    cutoff, spacing
        Å; there are ``int(cutoff / spacing)`` centres from 0 to the cut-off, both included.
    """

    offset: torch.Tensor

    def __init__(self, cutoff: float, spacing: float) -> None:
        super().__init__()
        # Single precision first: published weights were trained with these roundings.
        offset = torch.linspace(0.0, cutoff, int(cutoff / spacing), dtype=torch.float32)
        self.width = float(offset[1] - offset[0])
        self.register_buffer("offset", offset, persistent=False)

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        """Map distances ``(n_edges,)`` in Å to ``(n_edges, n_gaussians)``."""
        scaled = (distance[:, None] - self.offset.to(distance.dtype)) / self.width
        return torch.exp(-0.5 * scaled**2)


class EdgeBlock(nn.Module):
    """Mix length and species to the scalars that steer the SO(2) layers.

    Parameters
    ----------
    config
        Hyper-parameters.
    n_species, n_gaussians
        Sizes of the inputs.
    """

    def __init__(self, config: EscnConfig, n_species: int, n_gaussians: int) -> None:
        super().__init__()
        width = config.edge_channels
        self.fc1_dist = nn.Linear(n_gaussians, width)
        self.source_embedding = nn.Embedding(n_species, width)
        self.target_embedding = nn.Embedding(n_species, width)
        self.fc1_edge_attr = nn.Linear(width, width)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.uniform_(embedding.weight, -0.001, 0.001)

    def forward(self, edges: EdgeData) -> torch.Tensor:
        """Return scalars ``(n_edges, edge_channels)``."""
        ends = self.source_embedding(edges.source_species)
        ends = ends + self.target_embedding(edges.target_species)
        return silu(self.fc1_edge_attr(silu(ends + self.fc1_dist(edges.expanded))))
