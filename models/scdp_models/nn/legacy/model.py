"""The published model as it was published, for checkpoints of the official code.

Give :func:`load` the ``state_dict`` of the official Lightning module and its hyper-parameters. The
result predicts what the official code predicts, its defects included: the density does not turn
exactly with the molecule, ends at a hard cut-off and is not size-consistent.

Examples
--------
>>> import json, torch  # doctest: +SKIP
>>> from scdp_models.nn.legacy import load  # doctest: +SKIP
>>> weights = torch.load("state_dict.pt", weights_only=True)  # doctest: +SKIP
>>> hparams = json.loads(open("hparams.json").read())  # doctest: +SKIP
>>> model = load(weights, hparams)  # doctest: +SKIP
>>> atoms, coords = model.with_virtual_nodes([8, 1, 1], water)  # doctest: +SKIP
>>> result = model(atoms, coords)  # doctest: +SKIP
>>> result.coefficients.shape, result.density([[0.0, 0.0, 0.5]])  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import CheckpointError, GraphError
from scdp_models.graph import AtomGraph, checked_structure
from scdp_models.nn.legacy.prediction import LegacyPrediction, as_array
from scdp_models.nn.legacy.settings import read_settings
from scdp_models.nn.legacy.structure import PublishedEdges, published_edges, published_midpoints
from scdp_models.nn.legacy.weights import network_state
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.readout import PublishedReadout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.nn.legacy.settings import PublishedSettings

__all__ = ["LegacyModel", "load"]

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class _Structure(NamedTuple):
    """A structure as the network takes it; cell only where periodic."""

    numbers: NDArray[np.int64]
    coords: NDArray[np.float64]
    cell: NDArray[np.float64] | None
    edges: PublishedEdges


class LegacyModel:
    """A published checkpoint, ready to predict; made by :func:`load`.

    Parameters
    ----------
    network
        The network with its weights.
    settings
        What the checkpoint is.
    dtype
        ``torch.float32`` or ``torch.float64``.
    """

    def __init__(
        self, network: DensityNetwork, settings: PublishedSettings, dtype: torch.dtype
    ) -> None:
        self.network, self.settings, self.dtype = network.to(dtype).eval(), settings, dtype

    def with_virtual_nodes(
        self, atom_types: ArrayLike | torch.Tensor, coords: ArrayLike | torch.Tensor
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Append the virtual nodes of a molecule by the published rule.

        For crystals the published rule is another program's; append its midpoints as species 0.

        Parameters
        ----------
        atom_types, coords
            Shapes ``(n,)`` and ``(n, 3)`` (Å).

        Raises
        ------
        GraphError
            If the model was trained without virtual nodes.
        """
        if not self.settings.basis.has_midpoints:
            msg = "this model was trained without virtual nodes; leave them out"
            raise GraphError(msg)
        numbers, points = checked_structure(as_array(atom_types, np.int64), as_array(coords, float))
        added = published_midpoints(numbers, points)
        zeros = np.zeros(len(added), dtype=np.int64)
        return np.concatenate([numbers, zeros]), np.concatenate([points, added])

    def __call__(
        self,
        atom_types: ArrayLike | torch.Tensor,
        coords: ArrayLike | torch.Tensor,
        cell: ArrayLike | torch.Tensor | None = None,
        *,
        pbc: bool | None = None,
        edges: tuple[Any, Any] | None = None,
        rotations: ArrayLike | torch.Tensor | None = None,
    ) -> LegacyPrediction:
        """Predict one structure.

        Parameters
        ----------
        atom_types, coords
            Shapes ``(n_nodes,)`` and ``(n_nodes, 3)`` (Å): atomic numbers, and 0 for virtual
            nodes, which are taken as given (see :meth:`with_virtual_nodes`).
        cell, pbc
            Lattice vectors as rows (Å) and whether the structure is periodic; as the model was
            trained when `pbc` is None.
        edges
            Pair of edge index ``(2, n_edges)`` (sources, targets) and shifts ``(n_edges, 3)`` (Å);
            built by the published rule when None. The vector of an edge is
            ``coords[target] - coords[source] + shift``.
        rotations
            Edge frames ``(n_edges, 3, 3)``, which turn the vector of the edge on +y; with `edges`.
            Deterministic ones when None (the official code draws the roll at random).

        Raises
        ------
        GraphError
            If shapes do not fit or a species is unknown to the model.
        """
        structure = self._structure(atom_types, coords, (cell, pbc), edges)
        frames = self._frames(rotations, structure.edges, given=edges is not None)
        with torch.no_grad():
            return self._predict(structure, frames)

    def _structure(
        self, atom_types: Any, coords: Any, periodicity: tuple[Any, bool | None], edges: Any
    ) -> _Structure:
        numbers, points = checked_structure(as_array(atom_types, np.int64), as_array(coords, float))
        cell, pbc = periodicity
        periodic = self.settings.periodic if pbc is None else pbc
        lattice = None
        if periodic:
            if cell is None:
                msg = "the structure is periodic but there is no cell; give cell (3, 3) in Å"
                raise GraphError(msg)
            lattice = as_array(cell, float).reshape(3, 3)
        if edges is None:
            cutoff = self.settings.network.cutoff
            found = published_edges(points, cutoff, cell=lattice, pbc=periodic)
            return _Structure(numbers, points, lattice, found)
        index, shifts = as_array(edges[0], np.int64), as_array(edges[1], float)
        if index.ndim != 2 or shifts.shape != (index.shape[-1], 3) or len(index) != 2:
            msg = f"edges have shapes {index.shape} and {shifts.shape}; expected (2, n) and (n, 3)"
            raise GraphError(msg)
        if index.size and not 0 <= index.min() <= index.max() < len(numbers):
            msg = f"the edge index points outside the {len(numbers)} nodes"
            raise GraphError(msg)
        return _Structure(numbers, points, lattice, PublishedEdges(index, shifts))

    def _frames(self, rotations: Any, edges: PublishedEdges, *, given: bool) -> torch.Tensor | None:
        if rotations is None:
            return None
        frames = torch.as_tensor(as_array(rotations, float)).to(self.dtype)
        if not given or frames.shape != (len(edges.shifts), 3, 3):
            msg = (
                f"rotations have shape {tuple(frames.shape)}; give edges and one 3 x 3 matrix for "
                f"each of them (here {len(edges.shifts)})"
            )
            raise GraphError(msg)
        return frames

    def _graph(self, structure: _Structure) -> AtomGraph:
        n_nodes = len(structure.numbers)
        source, target = structure.edges.ends
        coords = structure.coords
        # Ours points from target to source.
        vectors = coords[source] - coords[target] - structure.edges.shifts
        one_group = torch.zeros(n_nodes, dtype=torch.int64)
        graph = AtomGraph(
            numbers=torch.as_tensor(structure.numbers),
            positions=torch.as_tensor(coords),
            weights=torch.ones(n_nodes, dtype=torch.float64),
            source=torch.as_tensor(source),
            target=torch.as_tensor(target),
            vectors=torch.as_tensor(vectors),
            structure=one_group,
            member=torch.arange(n_nodes),
            group=one_group,
            group_weight=torch.ones(1, dtype=torch.float64),
        )
        return graph.to(self.dtype)

    def _predict(self, structure: _Structure, frames: torch.Tensor | None) -> LegacyPrediction:
        network, graph = self.network, self._graph(structure)
        readout = network.readout
        if not isinstance(readout, PublishedReadout):
            msg = "the network is not a published one; load it with scdp_models.predict"
            raise CheckpointError(msg)
        species = network.species(graph.numbers)
        features = network.features(graph, species, frames)
        rows = readout.published(features, species, graph.structure)
        ours = (rows.double() * readout.units.double()) * self.settings.scale
        factors = None if network.exponents is None else network.exponents(features, species)
        periodic = structure.cell is not None
        density = OrbitalDensity.from_basis(
            self.settings.basis,
            structure.numbers,
            structure.coords,
            coefficients=network.flatten(ours, graph.numbers).numpy(),
            cell=structure.cell,
            pbc=(periodic,) * 3,
        )
        if factors is not None:
            flat = network.flatten_shells(factors, graph.numbers).double().numpy()
            density = replace(density, shell_exponents=flat * density.shell_exponents)
        return LegacyPrediction(
            coefficients=rows.numpy(),
            exponent_factors=None if factors is None else factors.numpy(),
            orbitals=density,
            density_cutoff=self.settings.density_cutoff,
        )


def load(
    state_dict: Mapping[str, Any], hparams: Mapping[str, Any], *, dtype: str = "float64"
) -> LegacyModel:
    """Make a published model of its weights and hyper-parameters.

    Any numbers of layers and channels, degrees, orders and exponents work; they are read off the
    weights and must not contradict the hyper-parameters.

    Parameters
    ----------
    state_dict
        Name → tensor or array, as the official Lightning module has them.
    hparams
        Hyper-parameters of that module (or the ``config.yaml`` of a run, as a dict). Wanted is the
        section ``model``; ``expo_trainable``, ``orb_cutoff`` and ``pbc`` have the official
        defaults.
    dtype
        ``"float64"`` or ``"float32"``: in what to compute.

    Raises
    ------
    CheckpointError
        If something is missing, contradictory or of another layout.
    """
    if str(dtype).removeprefix("torch.") not in _DTYPES:
        msg = f"dtype {dtype!r} is not supported; use 'float32' or 'float64'"
        raise CheckpointError(msg)
    state = {name: torch.as_tensor(tensor) for name, tensor in state_dict.items()}
    settings = read_settings(state, hparams)
    network = DensityNetwork(settings.network, settings.basis)
    network.load_state_dict(network_state(network, state))
    return LegacyModel(network, settings, _DTYPES[str(dtype).removeprefix("torch.")])
