"""Trunk, readout and charge projection put together: graph in, coefficients out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from scdp_models.errors import GraphError
from scdp_models.nn.compact import CompactTrunk
from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.trunk import EscnTrunk
from scdp_models.nn.exponents import ExponentScaling, PublishedExponentScaling
from scdp_models.nn.readout import (
    ChargeProjection,
    ProductReadout,
    PublishedReadout,
    Readout,
    function_columns,
)

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.nn.whitening import Whitening

__all__ = ["PUBLISHED_ELEMENTS", "DensityNetwork", "NetworkOutput", "PaddedOutput"]

PUBLISHED_ELEMENTS = 100
"""Rows of the published embeddings, which are indexed by atomic number."""


class PaddedOutput(NamedTuple):
    """What the network says of every node.

    ``rows``, shape ``(n_nodes, n_columns)``, are coefficients in the padded layout of
    :func:`scdp_models.nn.readout.function_columns`; ``factors``, shape ``(n_nodes, n_shells)``,
    those on the exponents (first columns: the shells of the node's species), or None.
    """

    rows: torch.Tensor
    factors: torch.Tensor | None


class NetworkOutput(NamedTuple):
    """Flat coefficients ``(n_functions,)`` and exponent factors ``(n_shells,)`` or None.

    Both node after node, in the order of
    :meth:`scdp_models.density.orbital.OrbitalDensity.from_basis`.
    """

    coefficients: torch.Tensor
    exponent_factors: torch.Tensor | None


def _escn_config(config: NetworkConfig) -> EscnConfig:
    """Pick out the settings of the eSCN trunk."""
    names = (field.name for field in fields(EscnConfig))
    return EscnConfig(**{name: getattr(config, name) for name in names})


class DensityNetwork(nn.Module):
    """Predict density coefficients from a structure.

    Parameters
    ----------
    config
        Hyper-parameters.
    basis
        Shells per species; what the coefficients multiply.
    electrons
        Electrons of each species the predicted part must hold: the neutral atom's for
        ``target="total"``, None (zero) for ``"delta"``.
    whitening
        Output scales learnt from the labels; identity when None.
    mean_neighbours
        Average neighbours per node in the training set.
    """

    species_of_number: torch.Tensor
    electrons: torch.Tensor

    def __init__(
        self,
        config: NetworkConfig,
        basis: BasisSet,
        *,
        electrons: dict[int, float] | None = None,
        whitening: Whitening | None = None,
        mean_neighbours: float = 1.0,
    ) -> None:
        super().__init__()
        self.config, self.basis = config, basis
        numbers = list(basis.species)
        self.trunk = self._make_trunk(mean_neighbours)
        self.readout = self._make_readout(whitening)
        self.exponents = self._make_exponents()
        self.projection = ChargeProjection(basis)
        index = torch.full((max(numbers) + 1,), -1)
        index[torch.tensor(numbers)] = torch.arange(len(numbers))
        self.register_buffer("species_of_number", index, persistent=False)
        held = [(electrons or {}).get(z, 0.0) for z in numbers]
        self.register_buffer("electrons", torch.tensor(held, dtype=torch.float64), persistent=False)
        self._columns = function_columns(basis)[1]

    def _make_trunk(self, mean_neighbours: float) -> CompactTrunk | EscnTrunk:
        config = self.config
        if config.trunk == "compact":
            return CompactTrunk(config, len(self.basis.species), mean_neighbours)
        rows = PUBLISHED_ELEMENTS if config.legacy else len(self.basis.species)
        return EscnTrunk(_escn_config(config), rows, mean_neighbours)

    def _make_readout(
        self, whitening: Whitening | None
    ) -> Readout | ProductReadout | PublishedReadout:
        width, lmax = self.trunk.n_features, self.config.lmax
        if self.config.legacy:
            return PublishedReadout(self.basis, width, lmax)
        kind = Readout if self.config.readout == "linear" else ProductReadout
        return kind(self.basis, width, lmax, whitening)

    def _make_exponents(self) -> ExponentScaling | PublishedExponentScaling | None:
        config = self.config
        if not config.scale_exponents:
            return None
        kind = PublishedExponentScaling if config.legacy else ExponentScaling
        return kind(self.basis, self.trunk.n_features, config.lmax, config.n_hidden)

    def species(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the row of each atomic number in per-species tables.

        Raises
        ------
        GraphError
            If the model was not built for an element; the message lists those it knows.
        """
        known = numbers.clamp(0, len(self.species_of_number) - 1)
        index = self.species_of_number[known]
        unknown = (index < 0) | (numbers != known)
        if bool(unknown.any()):
            names = sorted({int(z) for z in numbers[unknown]})
            covered = [z for z in self.basis.species if z]
            msg = (
                f"the model does not know atomic numbers {names}; it covers {covered}. "
                "Train a model on data with these elements"
            )
            raise GraphError(msg)
        return index

    def features(
        self, graph: AtomGraph, species: torch.Tensor, rotations: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the node features of the trunk, ``(n_nodes, n_features, (lmax + 1)^2)``.

        Parameters
        ----------
        graph
            The structures.
        species
            Species indices, shape ``(n_nodes,)``.
        rotations
            Edge frames ``(n_edges, 3, 3)`` of an eSCN trunk, to compare with stored results; made
            from the edges when None.
        """
        features: torch.Tensor
        if isinstance(self.trunk, CompactTrunk):
            features = self.trunk(graph, species)
        else:
            rows = graph.numbers if self.config.legacy else species
            features = self.trunk(graph, rows, rotations)
        return features

    def padded(self, graph: AtomGraph) -> PaddedOutput:
        """Return coefficients and exponent factors of each node, before charge projection."""
        species = self.species(graph.numbers)
        features = self.features(graph, species)
        if isinstance(self.readout, PublishedReadout):
            rows: torch.Tensor = self.readout(features, species, graph.structure)
        else:
            rows = self.readout(features, species)
        factors = None if self.exponents is None else self.exponents(features, species)
        return PaddedOutput(rows * graph.weights[:, None], factors)

    def forward(self, graph: AtomGraph) -> torch.Tensor:
        """Return flat coefficients of all structures of the batch.

        Returns
        -------
        torch.Tensor
            Shape ``(n_functions,)``: node after node, in the order of
            :meth:`scdp_models.density.orbital.OrbitalDensity.from_basis`. With
            ``scale_exponents`` they belong to the scaled exponents: use :meth:`predict_parts`.
        """
        return self.predict_parts(graph).coefficients

    def predict_parts(self, graph: AtomGraph) -> NetworkOutput:
        """Return flat coefficients and exponent factors from one pass of the trunk."""
        rows, factors = self.padded(graph)
        if self.config.project_charge:
            species = self.species(graph.numbers)
            wanted = self.electrons.to(rows.dtype)[species]
            rows = self.projection(rows, species, graph, wanted, factors)
        flat = None if factors is None else self.flatten_shells(factors, graph.numbers)
        return NetworkOutput(self.flatten(rows, graph.numbers), flat)

    def exponent_factors(self, graph: AtomGraph) -> torch.Tensor | None:
        """Return the flat factors ``(n_shells,)`` on the exponents, or None if they are fixed."""
        return self.predict_parts(graph).exponent_factors

    def flatten_shells(self, factors: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Drop the padding of exponent factors."""
        kept = torch.arange(factors.shape[1]) < self.shell_counts(numbers)[:, None]
        return factors[kept.to(factors.device)]

    def flatten(self, rows: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Drop the padding of coefficient rows."""
        width = rows.shape[1]
        columns = [self._columns[z] + i * width for i, z in enumerate(numbers.tolist())]
        return rows.flatten()[torch.cat(columns).to(rows.device)]

    def counts(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the number of functions of each node, shape ``(n_nodes,)``."""
        return torch.tensor([len(self._columns[z]) for z in numbers.tolist()])

    def shell_counts(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the number of shells of each node, shape ``(n_nodes,)``."""
        return torch.tensor([self.basis.for_species(z).n_shells for z in numbers.tolist()])
