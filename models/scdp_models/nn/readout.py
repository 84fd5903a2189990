"""From node features to density coefficients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.nn.whitening import neutral_direction

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.whitening import Whitening

__all__ = ["ChargeProjection", "Readout", "function_columns"]


def function_columns(basis: BasisSet) -> tuple[list[int], dict[int, torch.Tensor]]:
    """Lay the functions of all species out in one padded row.

    The row holds, degree after degree, as many shells as the richest species has.

    Returns
    -------
    shells_per_degree : list of int
        Padded number of shells of each degree.
    columns : dict
        Species → columns of its functions in the order of the basis.
    """
    per_degree = [
        max(shells.count(l) for shells in basis.species.values()) for l in range(basis.lmax + 1)
    ]
    columns = {}
    for z, shells in basis.species.items():
        own, offset = [], 0
        for l, padded in enumerate(per_degree):
            own.append(offset + torch.arange(shells.count(l) * (2 * l + 1)))
            offset += padded * (2 * l + 1)
        columns[z] = torch.cat(own)
    return per_degree, columns


class Readout(nn.Module):
    """Linear maps per species and degree, then the whitening transform.

    Parameters
    ----------
    basis
        Basis of the coefficients.
    n_features, lmax
        Width and highest degree of the node features; shells of higher degree get zero.
    whitening
        Output scales; identity when None (to be overwritten by a checkpoint).
    """

    def __init__(
        self, basis: BasisSet, n_features: int, lmax: int, whitening: Whitening | None = None
    ) -> None:
        super().__init__()
        self.lmax = lmax
        self.species = list(basis.species)
        self.per_degree, _ = function_columns(basis)
        n_species = len(self.species)
        self.weights = nn.ParameterList(
            torch.randn(n_species, n, n_features) / math.sqrt(n_features)
            for n in self.per_degree[: lmax + 1]
        )
        self.bias = nn.Parameter(torch.zeros(n_species, self.per_degree[0], 1))
        for l, n in enumerate(self.per_degree):
            self.register_buffer(f"matrix_{l}", torch.zeros(n_species, n, n, dtype=torch.float64))
        mean = torch.zeros(n_species, self.per_degree[0], 1, dtype=torch.float64)
        self.register_buffer("mean", mean)
        for row, z in enumerate(self.species):
            self._set_transforms(row, z, basis, whitening)

    def _set_transforms(
        self, row: int, z: int, basis: BasisSet, whitening: Whitening | None
    ) -> None:
        for l in range(len(self.per_degree)):
            n = basis.for_species(z).count(l)
            if n == 0:
                continue
            matrix = torch.eye(n, dtype=torch.float64)
            if whitening is not None:
                transform = whitening[z, l]
                matrix = torch.as_tensor(transform.matrix)
                if l == 0:
                    self.get_buffer("mean")[row, :n, 0] = torch.as_tensor(transform.mean)
            self.get_buffer(f"matrix_{l}")[row, :n, :n] = matrix

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Map features ``(n_nodes, n_features, (lmax + 1)^2)`` to padded coefficient rows.

        Returns
        -------
        torch.Tensor
            Shape ``(n_nodes, n_columns)``, columns as :func:`function_columns` lays them out.
        """
        rows = []
        for l, n in enumerate(self.per_degree):
            if l > self.lmax:
                rows.append(features.new_zeros(len(features), n * (2 * l + 1)))
                continue
            block = features[:, :, l * l : (l + 1) ** 2]
            whitened = self.weights[l][species] @ block
            if l == 0:
                whitened = whitened + self.bias[species]
            matrix = self.get_buffer(f"matrix_{l}").to(features.dtype)
            values = matrix[species] @ whitened
            if l == 0:
                values = values + self.get_buffer("mean").to(features.dtype)[species]
            rows.append(values.flatten(1))
        return torch.cat(rows, dim=1)


class ChargeProjection(nn.Module):
    """Give every connected component its electron count at the least local Coulomb energy.

    The excess of a group of centres is taken off them along V_ss^-1 q of each centre's own
    metric. Groups and their weights come from :func:`scdp_models.graph.charge_groups`: two
    far-apart molecules do not know of each other, and learn of each other smoothly.

    Parameters
    ----------
    basis
        Basis of the coefficients; its s shells come first in every padded row.
    """

    direction: torch.Tensor
    charges: torch.Tensor

    def __init__(self, basis: BasisSet) -> None:
        super().__init__()
        n = max(shells.count(0) for shells in basis.species.values())
        direction = torch.zeros(len(basis.species), n, dtype=torch.float64)
        charges = torch.zeros_like(direction)
        for row, shells in enumerate(basis.species.values()):
            along, own = neutral_direction(shells)
            direction[row, : len(own)] = torch.as_tensor(along)
            charges[row, : len(own)] = torch.as_tensor(own)
        self.register_buffer("direction", direction, persistent=False)
        self.register_buffer("charges", charges, persistent=False)

    def held(self, padded: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Return the electrons each node holds, shape ``(n_nodes,)``.

        Parameters
        ----------
        padded
            Coefficient rows, shape ``(n_nodes, n_columns)``.
        species
            Species indices, shape ``(n_nodes,)``.
        """
        charges = self.charges.to(padded.dtype)[species]
        return (charges * padded[:, : charges.shape[1]]).sum(1)

    def forward(
        self, padded: torch.Tensor, species: torch.Tensor, graph: AtomGraph, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Return rows whose components hold the wanted electrons.

        Parameters
        ----------
        padded, species
            As in :meth:`held`.
        graph
            Says which nodes are counted together.
        wanted
            Electrons each node stands for, shape ``(n_nodes,)``; zeros for a neutral difference.
        """
        direction = self.direction.to(padded.dtype)[species] * graph.weights[:, None]
        surplus = self.held(padded, species) - wanted
        capacity = (direction * self.charges.to(padded.dtype)[species]).sum(1)
        zeros = padded.new_zeros(graph.n_groups)
        excess = zeros.index_add(0, graph.group, surplus[graph.member])
        total = zeros.index_add(0, graph.group, capacity[graph.member])
        part = (graph.group_weight * excess / total)[graph.group]
        share = torch.zeros_like(surplus).index_add(0, graph.member, part)[:, None] * direction
        return torch.cat([padded[:, : share.shape[1]] - share, padded[:, share.shape[1] :]], dim=1)
