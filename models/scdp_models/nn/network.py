"""Trunk, readout and charge projection put together: graph in, coefficients out."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from scdp_models.errors import GraphError
from scdp_models.nn.charge_state import ChargeState, check_neutral
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
    those on the exponents (first columns: the shells of the node's species), or None; ``spin``,
    shaped like ``rows``, those of the spin density, or None.
    """

    rows: torch.Tensor
    factors: torch.Tensor | None
    spin: torch.Tensor | None = None

    def double(self) -> PaddedOutput:
        """Return it in float64."""
        factors, spin = (None if part is None else part.double() for part in self[1:])
        return PaddedOutput(self.rows.double(), factors, spin)


class NetworkOutput(NamedTuple):
    """Flat coefficients ``(n_functions,)`` and exponent factors ``(n_shells,)`` or None.

    All node after node, in the order of
    :meth:`scdp_models.density.orbital.OrbitalDensity.from_basis`. ``spin`` holds the coefficients
    of the spin density, up less down, or None.
    """

    coefficients: torch.Tensor
    exponent_factors: torch.Tensor | None
    spin: torch.Tensor | None = None


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
    spin_whitening
        Output scales of the spin density of one unpaired electron; identity when None.
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
        spin_whitening: Whitening | None = None,
    ) -> None:
        super().__init__()
        self.config, self.basis = config, basis
        numbers = list(basis.species)
        self.trunk = self._make_trunk(mean_neighbours)
        self.readout = self._make_readout(whitening)
        self.exponents = self._make_exponents()
        self.charge_state = ChargeState(config.n_channels) if config.charge_input else None
        self.spin_readout = None
        if config.spin_output:
            width = self.trunk.n_features
            self.spin_readout = Readout(basis, width, config.lmax, spin_whitening)
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
        state = None if self.charge_state is None else self.charge_state(graph)
        if isinstance(self.trunk, CompactTrunk):
            features = self.trunk(graph, species, state)
        else:
            rows = graph.numbers if self.config.legacy else species
            features = self.trunk(graph, rows, rotations, state)
        return features

    def padded(self, graph: AtomGraph) -> PaddedOutput:
        """Return coefficients and exponent factors of each node, before charge projection.

        Raises
        ------
        GraphError
            If an element is unknown, or a structure is charged and ``charge_input`` is off.
        """
        if self.charge_state is None:
            check_neutral(graph)
        species = self.species(graph.numbers)
        features = self.features(graph, species)
        if isinstance(self.readout, PublishedReadout):
            rows: torch.Tensor = self.readout(features, species, graph.structure)
        else:
            rows = self.readout(features, species)
        factors = None if self.exponents is None else self.exponents(features, species)
        spin = None
        if self.spin_readout is not None:
            # Spin up and down are alike where none is in excess: its density is zero everywhere.
            strength = graph.unpaired[graph.structure] * graph.weights
            spin = self.spin_readout(features, species) * strength[:, None]
        return PaddedOutput(rows * graph.weights[:, None], factors, spin)

    def counted(self, output: PaddedOutput, graph: AtomGraph) -> PaddedOutput:
        """Return the output with the electrons and unpaired electrons that it has to hold."""
        rows, factors, spin = output
        species = self.species(graph.numbers)
        wanted = self.electrons.to(rows.dtype)[species]
        added = None if self.charge_state is None else -graph.charge
        rows = self.projection(rows, species, graph, wanted, factors, added)
        if spin is not None:
            none = torch.zeros_like(wanted)
            spin = self.projection(spin, species, graph, none, factors, graph.unpaired)
        return PaddedOutput(rows, factors, spin)

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
        output = self.padded(graph)
        if self.config.project_charge:
            output = self.counted(output, graph)
        return self.flat(output, graph.numbers)

    def flat(self, output: PaddedOutput, numbers: torch.Tensor) -> NetworkOutput:
        """Drop the padding of everything."""
        rows, factors, spin = output
        return NetworkOutput(
            self.flatten(rows, numbers),
            None if factors is None else self.flatten_shells(factors, numbers),
            None if spin is None else self.flatten(spin, numbers),
        )

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
