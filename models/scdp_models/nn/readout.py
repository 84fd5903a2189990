"""From node features to density coefficients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.nn.tensor_product import QuadraticProduct
from scdp_models.nn.whitening import neutral_direction
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_models.basis.shells import BasisSet
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.whitening import Whitening

__all__ = [
    "ChargeProjection",
    "ProductReadout",
    "PublishedReadout",
    "Readout",
    "function_columns",
    "published_units",
]


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


class _ScaledReadout(nn.Module):
    """Bias and whitening transform of every readout: c = mean + matrix (z + bias).

    Parameters
    ----------
    basis
        Basis of the coefficients.
    whitening
        Output scales; identity when None (to be overwritten by a checkpoint).
    """

    def __init__(self, basis: BasisSet, whitening: Whitening | None) -> None:
        super().__init__()
        self.per_degree, _ = function_columns(basis)
        n_species = len(basis.species)
        self.bias = nn.Parameter(torch.zeros(n_species, self.per_degree[0], 1))
        for l, n in enumerate(self.per_degree):
            self.register_buffer(f"matrix_{l}", torch.zeros(n_species, n, n, dtype=torch.float64))
        mean = torch.zeros(n_species, self.per_degree[0], 1, dtype=torch.float64)
        self.register_buffer("mean", mean)
        for row, z in enumerate(basis.species):
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

    def _rows(self, blocks: Sequence[torch.Tensor], species: torch.Tensor) -> torch.Tensor:
        """Transform blocks ``(n_nodes, n_shells, 2 l + 1)``; degrees beyond them get zero.

        Neighbouring shells nearly cancel after the transform: half precision ends before it.
        """
        with torch.autocast(species.device.type, enabled=False):
            return self._transform(blocks, species)

    def _transform(self, blocks: Sequence[torch.Tensor], species: torch.Tensor) -> torch.Tensor:
        rows = []
        dtype = torch.promote_types(blocks[0].dtype, torch.float32)
        for l, n in enumerate(self.per_degree):
            if l >= len(blocks):
                rows.append(blocks[0].new_zeros(len(species), n * (2 * l + 1), dtype=dtype))
                continue
            whitened = blocks[l].to(dtype)
            if l == 0:
                whitened = whitened + self.bias[species]
            matrix = self.get_buffer(f"matrix_{l}").to(whitened.dtype)
            values = matrix[species] @ whitened
            if l == 0:
                values = values + self.get_buffer("mean").to(values.dtype)[species]
            rows.append(values.flatten(1))
        return torch.cat(rows, dim=1)


class Readout(_ScaledReadout):
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
        super().__init__(basis, whitening)
        self.weights = nn.ParameterList(
            torch.randn(len(basis.species), n, n_features) / math.sqrt(n_features)
            for n in self.per_degree[: lmax + 1]
        )

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Map features ``(n_nodes, n_features, (lmax + 1)^2)`` to padded coefficient rows.

        Returns
        -------
        torch.Tensor
            Shape ``(n_nodes, n_columns)``, columns as :func:`function_columns` lays them out.
        """
        blocks = [
            weight[species] @ features[:, :, l * l : (l + 1) ** 2]
            for l, weight in enumerate(self.weights)
        ]
        return self._rows(blocks, species)


class ProductReadout(_ScaledReadout):
    """Products of all pairs of features, shared by all species, then the whitening transform.

    Parameters
    ----------
    basis, n_features, lmax, whitening
        As in :class:`Readout`. Products reach shells up to degree 2 `lmax`.
    """

    def __init__(
        self, basis: BasisSet, n_features: int, lmax: int, whitening: Whitening | None = None
    ) -> None:
        super().__init__(basis, whitening)
        self.product = QuadraticProduct(n_features, lmax, self.per_degree)

    def forward(self, features: torch.Tensor, species: torch.Tensor) -> torch.Tensor:
        """Map features ``(n_nodes, n_features, (lmax + 1)^2)`` to padded coefficient rows."""
        return self._rows(self.product(features), species)


def published_units(basis: BasisSet) -> torch.Tensor:
    """Return what published coefficients of each column are multiplied with to be ours.

    Published functions have harmonics with sum over m of Y^2 = 1 and give e/Å^3; ours are
    L2-normalised and give e/bohr^3.
    """
    per_degree, _ = function_columns(basis)
    per_column = [
        torch.full((n * (2 * l + 1),), math.sqrt(4 * math.pi / (2 * l + 1)), dtype=torch.float64)
        for l, n in enumerate(per_degree)
    ]
    return BOHR_TO_ANGSTROM**3 * torch.cat(per_column)


class PublishedReadout(nn.Module):
    """The published readout, with its mixed-up memory layout; it is not equivariant.

    Parameters
    ----------
    basis, n_channels, lmax
        As in :class:`Readout`.
    """

    scale: torch.Tensor
    units: torch.Tensor

    def __init__(self, basis: BasisSet, n_channels: int, lmax: int) -> None:
        super().__init__()
        per_degree, _ = function_columns(basis)
        self.product = QuadraticProduct(n_channels, lmax, per_degree, legacy=True)
        # Standard deviation of the density over the training set, e/Å^3.
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("units", published_units(basis), persistent=False)
        counts = [shells.n_functions for shells in basis.species.values()]
        self.register_buffer("counts", torch.tensor(counts), persistent=False)

    def published(
        self, features: torch.Tensor, species: torch.Tensor, structure: torch.Tensor
    ) -> torch.Tensor:
        """Return coefficients in the published units, divided by sqrt(functions of a structure).

        Parameters
        ----------
        features
            Shape ``(n_nodes, n_channels, (lmax + 1)^2)``.
        species, structure
            Shape ``(n_nodes,)``: species indices, and the structure each node belongs to.
        """
        own = self.get_buffer("counts")[species]
        n_structures = int(structure[-1]) + 1 if len(structure) else 0
        total = own.new_zeros(n_structures).index_add(0, structure, own)
        raw = torch.cat([block.flatten(1) for block in self.product(features)], dim=1)
        return raw / total.to(raw.dtype).sqrt()[structure, None]

    def forward(
        self, features: torch.Tensor, species: torch.Tensor, structure: torch.Tensor
    ) -> torch.Tensor:
        """Return padded coefficient rows in our units; see :meth:`published`."""
        rows = self.published(features, species, structure)
        return rows * (self.scale * self.units).to(rows.dtype)


class ChargeProjection(nn.Module):
    """Give every connected component its electron count at the least local Coulomb energy.

    The excess of a group of centres is taken off them along V_ss^-1 q of each centre's own
    metric. Groups and their weights come from :func:`scdp_models.graph.charge_groups`: two
    far-apart molecules do not know of each other, and learn of each other smoothly.

    The charge of an ion, or its unpaired electrons, belong to the structure as a whole. If it has
    several components, how the raw prediction shares them out is kept, and only what it lacks of
    the exact total is spread over all centres. That is a choice: nothing makes the share of a
    component a whole number.

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

    def held(
        self, padded: torch.Tensor, species: torch.Tensor, factors: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the electrons each node holds, shape ``(n_nodes,)``.

        Parameters
        ----------
        padded
            Coefficient rows, shape ``(n_nodes, n_columns)``.
        species
            Species indices, shape ``(n_nodes,)``.
        factors
            Exponent factors, shape ``(n_nodes, n_shells)``, s shells first; ones when None. The
            charge of an L2-normalised s function goes as exponent^(-3/4).
        """
        charges = self.charges.to(padded.dtype)[species]
        if factors is not None:
            charges = charges * factors[:, : charges.shape[1]] ** -0.75
        return (charges * padded[:, : charges.shape[1]]).sum(1)

    def forward(
        self,
        padded: torch.Tensor,
        species: torch.Tensor,
        graph: AtomGraph,
        wanted: torch.Tensor,
        factors: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return rows whose components hold the wanted electrons.

        Parameters
        ----------
        padded, species, factors
            As in :meth:`held`.
        graph
            Says which nodes are counted together.
        wanted
            Electrons each node stands for, shape ``(n_nodes,)``; zeros for a neutral difference.
        added
            Electrons that each structure as a whole holds beyond those, shape
            ``(n_structures,)``: minus the charge, or the unpaired ones; none when None.
        """
        direction = self.direction.to(padded.dtype)[species] * graph.weights[:, None]
        surplus = self.held(padded, species, factors) - wanted
        capacity = (direction * self.charges.to(padded.dtype)[species]).sum(1)
        if factors is not None:
            # Each shell takes up the charge that it took up before it was scaled: exact where all
            # shells are scaled alike, and the capacity can never vanish.
            direction = direction * factors[:, : direction.shape[1]] ** 0.75
        zeros = padded.new_zeros(graph.n_groups)
        excess = zeros.index_add(0, graph.group, surplus[graph.member])
        total = zeros.index_add(0, graph.group, capacity[graph.member])
        part = (graph.group_weight * excess / total)[graph.group]
        taken = torch.zeros_like(surplus).index_add(0, graph.member, part)
        if added is not None:
            whole = _of_structures(surplus, graph) - added.to(padded.dtype)
            whole = whole / _of_structures(capacity, graph)
            taken = torch.where((added != 0)[graph.structure], whole[graph.structure], taken)
        share = taken[:, None] * direction
        return torch.cat([padded[:, : share.shape[1]] - share, padded[:, share.shape[1] :]], dim=1)


def _of_structures(of_nodes: torch.Tensor, graph: AtomGraph) -> torch.Tensor:
    return of_nodes.new_zeros(graph.n_structures).index_add(0, graph.structure, of_nodes)
