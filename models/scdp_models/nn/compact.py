"""The compact trunk: few channels, exact quadratic products, no tensor-product library.

Layer 1 turns the neighbourhood into harmonics, A_i = sum_j R(d_ij, Z_i, Z_j) Y(r_ij). Each later
layer multiplies neighbour features with such a filter on the sphere and sums. Quadratic blocks
after each layer raise the body order (as in ACE; Drautz, PRB 99, 014104, 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.harmonics import real_harmonics
from scdp_models.nn.equivariant import DegreeLinear, QuadraticBlock, degree_index
from scdp_models.nn.radial import BesselBasis
from scdp_models.nn.sphere import SphereGrid

if TYPE_CHECKING:
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.config import NetworkConfig

__all__ = ["CompactTrunk"]


class EdgeFilter(nn.Module):
    """Filters R_cl(d, Z_target, Z_source) Y_lm of each edge.

    Parameters
    ----------
    config
        Network hyper-parameters.
    n_species
        Number of species.
    """

    degree: torch.Tensor

    def __init__(self, config: NetworkConfig, n_species: int) -> None:
        super().__init__()
        self.n_species = n_species
        self.shape = (config.n_channels, config.lmax + 1)
        self.pair = nn.Embedding(n_species * n_species, config.pair_embedding)
        width = config.n_channels * (config.lmax + 1)
        self.distance = nn.Linear(config.n_radial, config.radial_hidden, bias=False)
        inputs = config.n_radial + config.pair_embedding
        self.hidden = nn.Sequential(
            nn.Linear(inputs, config.radial_hidden),
            nn.SiLU(),
            nn.Linear(config.radial_hidden, config.radial_hidden),
            nn.SiLU(),
        )
        self.out = nn.Linear(config.radial_hidden, width, bias=False)
        self.register_buffer("degree", degree_index(config.lmax), persistent=False)

    def forward(
        self, radial: torch.Tensor, harmonics: torch.Tensor, species: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """Return filters of shape ``(n_edges, n_channels, (lmax + 1)^2)``.

        The last factor is linear in quantities that carry the envelope, so that filters end
        smoothly at the cut-off.
        """
        pair = self.pair(species[0] * self.n_species + species[1])
        gate = self.hidden(torch.cat([radial, pair], dim=1))
        values: torch.Tensor = self.out(self.distance(radial) * gate)
        return values.view(-1, *self.shape)[..., self.degree] * harmonics[:, None]


class CompactTrunk(nn.Module):
    """Node features from a graph.

    Parameters
    ----------
    config
        Network hyper-parameters.
    n_species
        Number of species.
    mean_neighbours
        Average neighbours per node in the training set; messages are divided by its square root.
    """

    scale: torch.Tensor

    def __init__(self, config: NetworkConfig, n_species: int, mean_neighbours: float) -> None:
        super().__init__()
        self.config = config
        channels, lmax = config.n_channels, config.lmax
        self.radial = BesselBasis(config.n_radial, config.cutoff)
        self.grid = SphereGrid(lmax)
        self.embedding = nn.Embedding(n_species, channels)
        layers = range(config.n_layers)
        self.filters = nn.ModuleList(EdgeFilter(config, n_species) for _ in layers)
        self.senders = nn.ModuleList(DegreeLinear(channels, channels, lmax) for _ in layers[1:])
        self.mixers = nn.ModuleList(DegreeLinear(channels, channels, lmax) for _ in layers)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(QuadraticBlock(channels, lmax) for _ in range(config.blocks_per_layer)))
            for _ in layers
        )
        self.register_buffer("scale", torch.tensor(max(mean_neighbours, 1.0) ** -0.5))

    @property
    def n_features(self) -> int:
        """Channels of the result: those of all layers side by side."""
        return self.config.n_channels * self.config.n_layers

    def forward(
        self, graph: AtomGraph, species: torch.Tensor, state: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Map a graph and species indices ``(n_nodes,)`` to features.

        Parameters
        ----------
        graph, species
            Structures.
        state
            Added to the first scalars, shape ``(n_nodes, n_channels)``.

        Returns
        -------
        torch.Tensor
            Shape ``(n_nodes, n_features, (lmax + 1)^2)``.
        """
        distance = torch.linalg.vector_norm(graph.vectors, dim=1)
        harmonics = real_harmonics(graph.vectors / distance[:, None], self.config.lmax)
        radial = self.radial(distance) * graph.weights[graph.source, None]
        ends = (species[graph.target], species[graph.source])
        features: list[torch.Tensor] = []
        x = torch.zeros(0)
        for layer in range(self.config.n_layers):
            filters = self.filters[layer](radial, harmonics, ends)
            if layer == 0:
                message = self._sum(filters, graph)
                scalars = self.embedding(species)
                scalars = (scalars if state is None else scalars + state).unsqueeze(-1)
                x = self.mixers[0](message)
                x = torch.cat([x[..., :1] + scalars, x[..., 1:]], dim=-1)
            else:
                sent = self.grid.to_grid(self.senders[layer - 1](x))[graph.source]
                product = sent * self.grid.to_grid(filters)
                x = x + self.mixers[layer](self.grid.from_grid(self._sum(product, graph)))
            x = self.blocks[layer](x)
            features.append(x)
        return torch.cat(features, dim=1)

    def _sum(self, messages: torch.Tensor, graph: AtomGraph) -> torch.Tensor:
        out = messages.new_zeros((graph.n_nodes, *messages.shape[1:]))
        return out.index_add(0, graph.target, messages) * self.scale.to(messages.dtype)
