"""Trunk, readout and charge projection put together: graph in, coefficients out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.errors import GraphError
from scdp_models.nn.compact import CompactTrunk
from scdp_models.nn.readout import ChargeProjection, Readout, function_columns

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.nn.whitening import Whitening

__all__ = ["DensityNetwork"]


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
        self.trunk = CompactTrunk(config, len(numbers), mean_neighbours)
        self.readout = Readout(basis, self.trunk.n_features, config.lmax, whitening)
        self.projection = ChargeProjection(basis)
        index = torch.full((max(numbers) + 1,), -1)
        index[torch.tensor(numbers)] = torch.arange(len(numbers))
        self.register_buffer("species_of_number", index, persistent=False)
        held = [(electrons or {}).get(z, 0.0) for z in numbers]
        self.register_buffer("electrons", torch.tensor(held, dtype=torch.float64), persistent=False)
        self._columns = function_columns(basis)[1]

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

    def padded(self, graph: AtomGraph) -> torch.Tensor:
        """Return coefficient rows, shape ``(n_nodes, n_columns)``, before charge projection."""
        species = self.species(graph.numbers)
        rows: torch.Tensor = self.readout(self.trunk(graph, species), species)
        return rows * graph.weights[:, None]

    def forward(self, graph: AtomGraph) -> torch.Tensor:
        """Return flat coefficients of all structures of the batch.

        Returns
        -------
        torch.Tensor
            Shape ``(n_functions,)``: node after node, in the order of
            :meth:`scdp_models.density.orbital.OrbitalDensity.from_basis`.
        """
        rows = self.padded(graph)
        if self.config.project_charge:
            species = self.species(graph.numbers)
            wanted = self.electrons.to(rows.dtype)[species]
            rows = self.projection(rows, species, graph, wanted)
        return self.flatten(rows, graph.numbers)

    def flatten(self, rows: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Drop the padding of coefficient rows."""
        width = rows.shape[1]
        columns = [self._columns[z] + i * width for i, z in enumerate(numbers.tolist())]
        return rows.flatten()[torch.cat(columns).to(rows.device)]

    def counts(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the number of functions of each node, shape ``(n_nodes,)``."""
        return torch.tensor([len(self._columns[z]) for z in numbers.tolist()])
