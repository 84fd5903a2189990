"""Factors on the exponents of every shell, learnt from invariants of its surroundings.

s = 1.5 / (1 + 2 exp(-y)) + 0.5 keeps a factor between 0.5 and 2, and is 1 at y = 0, where
training starts (SCDP, NeurIPS 2024, scaling factors).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.nn.tensor_product import QuadraticProduct

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet

__all__ = ["ExponentScaling", "PublishedExponentScaling", "exponent_factor"]


def exponent_factor(y: torch.Tensor) -> torch.Tensor:
    """Map any number to a factor between 0.5 and 2; zero to 1. Never in half precision."""
    exact = y.to(torch.promote_types(y.dtype, torch.float32))
    return 1.5 / (1 + 2 * torch.exp(-exact)) + 0.5


def _most_shells(basis: BasisSet) -> int:
    return max(shells.n_shells for shells in basis.species.values())


class ExponentScaling(nn.Module):
    """Exponent factors that do not change when the structure turns or reflects.

    Invariants are sums over m of products of two linear maps of the features. Every species has
    its own map from them to its shells.

    Parameters
    ----------
    basis
        Basis whose exponents are scaled.
    n_features, lmax
        Width and highest degree of the node features.
    n_hidden
        Number of invariants.
    """

    def __init__(self, basis: BasisSet, n_features: int, lmax: int, n_hidden: int) -> None:
        super().__init__()
        shape = (lmax + 1, n_hidden, n_features)
        self.left = nn.Parameter(torch.randn(shape) / sqrt(n_features))
        self.right = nn.Parameter(torch.randn(shape) / sqrt(n_features))
        n_species, n_shells = len(basis.species), _most_shells(basis)
        self.weight = nn.Parameter(torch.zeros(n_species, n_shells, n_hidden))
        self.bias = nn.Parameter(torch.zeros(n_species, n_shells))

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Return factors of shape ``(n_nodes, most shells of a species)``.

        Parameters
        ----------
        features
            Shape ``(n_nodes, n_features, (lmax + 1)^2)``.
        species
            Species indices, shape ``(n_nodes,)``; the first columns are the shells of a species.
        """
        invariants = features.new_zeros(len(features), self.left.shape[1])
        for l, (left, right) in enumerate(zip(self.left, self.right, strict=True)):
            block = features[:, :, l * l : (l + 1) ** 2]
            invariants = invariants + ((left @ block) * (right @ block)).sum(2) / (2 * l + 1)
        y = (self.weight[species] @ invariants.unsqueeze(-1)).squeeze(-1) + self.bias[species]
        return exponent_factor(y)


class PublishedExponentScaling(nn.Module):
    """The published map: one matrix for all species, whose shells share columns.

    Parameters
    ----------
    basis
        Basis whose exponents are scaled.
    n_channels, lmax
        Width and highest degree of the node features.
    n_hidden
        Number of even scalars.
    """

    def __init__(self, basis: BasisSet, n_channels: int, lmax: int, n_hidden: int) -> None:
        super().__init__()
        self.readout = QuadraticProduct(n_channels, lmax, [n_hidden], legacy=True)
        self.linear = nn.Linear(n_hidden, _most_shells(basis))
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - one map for all
        """Return factors of shape ``(n_nodes, most shells of a species)``."""
        return exponent_factor(self.linear(self.readout(features)[0].squeeze(-1)))
