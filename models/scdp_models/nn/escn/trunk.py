"""From a graph to node features by message passing in the frames of the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.edges import EdgeData, GaussianExpansion
from scdp_models.nn.escn.frames import frames_to_z, from_polar_y, through_angles
from scdp_models.nn.escn.inference import planned, runs_quickly
from scdp_models.nn.escn.initial import balance_weights
from scdp_models.nn.escn.layers import GatedLayer, SphereLayer
from scdp_models.nn.escn.wigner import WignerRows
from scdp_models.nn.radial import smooth_envelope

if TYPE_CHECKING:
    from scdp_models.graph import AtomGraph

__all__ = ["EscnConfig", "EscnTrunk"]


class EscnTrunk(nn.Module):
    """Node features from a graph.

    In the equivariant mode the component (l, m) of every channel transforms as the harmonic
    Y_lm of :mod:`scdp_models.harmonics`, also under reflections. In the legacy mode it transforms
    as that harmonic of (z, x, y), and nearly so: that is the published convention.

    Parameters
    ----------
    config
        Hyper-parameters.
    n_species
        Number of species; 100 in published models, which are indexed by atomic number.
    mean_neighbours
        Average neighbours per node in the training set; messages are divided by its square root.
        Of no meaning in the legacy mode, which sums.
    """

    scale: torch.Tensor

    def __init__(self, config: EscnConfig, n_species: int, mean_neighbours: float = 1.0) -> None:
        super().__init__()
        self.config = config
        self.sphere_embedding = nn.Embedding(n_species, config.n_channels)
        self.distance_expansion = GaussianExpansion(config.cutoff, config.distance_spacing)
        self.wigner = WignerRows(config.lmax, config.mmax)
        n_gaussians = len(self.distance_expansion.offset)
        layer = SphereLayer if config.on_grid else GatedLayer
        self.layer_blocks = nn.ModuleList(
            layer(config, n_species, n_gaussians) for _ in range(config.n_layers)
        )
        scale = torch.tensor(max(mean_neighbours, 1.0) ** -0.5)
        self.register_buffer("scale", scale, persistent=not config.legacy)
        if not config.legacy:
            balance_weights(self)

    @property
    def n_features(self) -> int:
        """Channels of the result."""
        return self.config.n_channels

    def forward(
        self,
        graph: AtomGraph,
        species: torch.Tensor,
        rotations: torch.Tensor | None = None,
        state: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map a graph and species indices ``(n_nodes,)`` to features.

        Parameters
        ----------
        graph
            Structure or batch.
        species
            Rows of the embedding tables; atomic numbers in the legacy mode.
        rotations
            Frames of the edges, shape ``(n_edges, 3, 3)``; deterministic ones when None. They turn
            the vector from target to source on z; in the legacy mode the opposite vector on y.
        state
            Added to the first scalars, shape ``(n_nodes, n_channels)``.

        Returns
        -------
        torch.Tensor
            Shape ``(n_nodes, n_channels, (lmax + 1)^2)``.
        """
        quickly = runs_quickly(graph.vectors)
        with torch.autocast(graph.vectors.device.type, enabled=False):
            edges = self._edges(graph, species, rotations)
            if quickly:
                edges = planned(edges, graph.n_nodes, self.config)
        scalars = self.sphere_embedding(species)
        scalars = (scalars if state is None else scalars + state).unsqueeze(-1)
        x = nn.functional.pad(scalars, (0, (self.config.lmax + 1) ** 2 - 1))
        for k, layer in enumerate(self.layer_blocks):
            change = layer(x, edges)
            x = change if self.config.legacy and k == 0 else x + change
        return x

    def _edges(
        self, graph: AtomGraph, species: torch.Tensor, rotations: torch.Tensor | None
    ) -> EdgeData:
        distance = torch.linalg.vector_norm(graph.vectors, dim=1)
        strength = None
        if not self.config.legacy:
            strength = smooth_envelope(distance / self.config.cutoff)
            strength = strength * graph.weights[graph.source] * self.scale.to(distance.dtype)
        return EdgeData(
            expanded=self.distance_expansion(distance),
            source=graph.source,
            target=graph.target,
            source_species=species[graph.source],
            target_species=species[graph.target],
            wigner=self.wigner(self._frames(graph.vectors / distance[:, None], rotations)),
            strength=strength,
        )

    def _frames(self, directions: torch.Tensor, rotations: torch.Tensor | None) -> torch.Tensor:
        if not self.config.legacy:
            return frames_to_z(directions) if rotations is None else rotations
        if rotations is None:
            return frames_to_z(from_polar_y(-directions.detach()))
        return from_polar_y(through_angles(rotations.detach()))
