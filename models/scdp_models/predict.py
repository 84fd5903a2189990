"""The one door to a trained model: load a checkpoint, predict densities.

Examples
--------
>>> from scdp_models.predict import load_pretrained  # doctest: +SKIP
>>> model = load_pretrained()  # doctest: +SKIP
>>> water = [[0, 0, 0], [0, 0, 0.96], [0.93, 0, -0.24]]
>>> density = model.predict([8, 1, 1], water)  # doctest: +SKIP
>>> round(density.n_electrons(), 6)  # doctest: +SKIP
8.0
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_models.basis.shells import MIDPOINT
from scdp_models.checkpoint import Checkpoint, load_checkpoint
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import CheckpointError, GraphError
from scdp_models.graph import build_graph, checked_structure, collate
from scdp_models.nn.legacy.structure import published_midpoints
from scdp_models.nn.passes import passes
from scdp_models.virtual_nodes import Midpoints, bond_midpoints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.atomic import AtomicReference
    from scdp_models.graph import AtomGraph
    from scdp_models.nn.network import NetworkOutput

__all__ = ["Geometry", "Model", "Prediction", "load", "load_pretrained", "pretrained_path"]

DEFAULT_PRETRAINED = "small-molecules-pbe-gth"


class Geometry(NamedTuple):
    """A structure as arrays; for shapes and units see :meth:`Model.predict`."""

    numbers: ArrayLike
    positions: ArrayLike
    cell: ArrayLike | None = None
    pbc: Sequence[bool] = (False, False, False)
    virtual_positions: ArrayLike | None = None
    state: tuple[int, int] = (0, 0)


class Prediction(NamedTuple):
    """A predicted density and the electrons the network was off by before it was corrected.

    They are 0 for models of the total density without electron counts (published ones). The spin
    density (up less down) is that of models with ``spin_output``, else None.
    """

    density: OrbitalDensity
    excess_electrons: float
    spin_density: OrbitalDensity | None = None


class _Coefficients(NamedTuple):
    """What the network says of one structure."""

    coefficients: NDArray[np.float64]
    exponent_factors: NDArray[np.float64] | None
    spin: NDArray[np.float64] | None
    excess_electrons: float


class Model:
    """A trained density model, ready to predict.

    Parameters
    ----------
    checkpoint
        Loaded checkpoint.
    dtype
        ``"float32"`` or ``"float64"``.
    device
        ``"cpu"``, or a GPU such as ``"cuda"``.
    compiled
        Whether the network is compiled into CUDA graphs (``torch.compile``), which takes a minute
        for every new shape of a batch; on a GPU only. Neither GPUs nor this switch have been
        tried: there was no GPU.

    Raises
    ------
    CheckpointError
        If a setting is unknown, or there is no such device.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        dtype: str = "float32",
        *,
        device: str = "cpu",
        compiled: bool = False,
    ) -> None:
        import torch

        if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
            msg = f"there is no device {device!r} here; use 'cpu', or 'cuda' where there is a GPU"
            raise CheckpointError(msg)
        if compiled and device == "cpu":
            msg = "compiled networks are for GPUs; leave compiled out, or set device='cuda'"
            raise CheckpointError(msg)
        if dtype not in ("float32", "float64"):
            msg = f"dtype {dtype!r} is not supported; use 'float32' or 'float64'"
            raise CheckpointError(msg)
        self._checkpoint = checkpoint
        self._dtype: torch.dtype = getattr(torch, dtype)
        network = checkpoint.build()
        # Buffers of the whitening keep float64 until they are used; parameters take the dtype.
        for parameter in network.parameters():
            parameter.data = parameter.data.to(self._dtype)
        self._network = network.to(device)
        self._device = device
        padded = network.padded
        self._padded = torch.compile(padded, mode="reduce-overhead") if compiled else padded

    @property
    def kind(self) -> Mapping[str, Any]:
        """JSON document of the density kind the model was trained on."""
        return self._checkpoint.kind

    @property
    def reference(self) -> AtomicReference:
        """Atomic densities of the kind."""
        return self._checkpoint.reference

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers the model knows."""
        return tuple(z for z in self._checkpoint.basis.species if z != MIDPOINT)

    @property
    def handles_charge(self) -> bool:
        """Whether the charge and the unpaired electrons of a structure make a difference."""
        return self._checkpoint.network.charge_input

    @property
    def handles_spin(self) -> bool:
        """Whether the model predicts spin densities too."""
        return self._checkpoint.network.spin_output

    @property
    def training(self) -> Mapping[str, Any]:
        """How the model was trained, and its errors."""
        return self._checkpoint.training

    def predict(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike | None = None,
        pbc: Sequence[bool] = (False, False, False),
        virtual_positions: ArrayLike | None = None,
        state: tuple[int, int] = (0, 0),
    ) -> OrbitalDensity:
        """Predict the total density of one structure.

        Parameters
        ----------
        numbers, positions
            Shapes ``(n,)`` and ``(n, 3)`` (Å).
        cell, pbc
            Lattice vectors as rows (Å) and periodicity.
        virtual_positions
            Bond midpoints ``(n_v, 3)`` in Å to use instead of the built-in rule, for models with
            virtual orbitals.
        state
            Total charge (e) and number of unpaired electrons, for models with ``charge_input``.

        Returns
        -------
        OrbitalDensity
            Reference plus predicted difference (or the total, as trained). For the spin density
            see :meth:`predict_batch`.

        Raises
        ------
        GraphError
            If an element is unknown to the model, centres coincide, or the state is impossible or
            beyond what the model knows.
        """
        geometry = Geometry(numbers, positions, cell, pbc, virtual_positions, state)
        return self.predict_batch([geometry])[0].density

    def predict_batch(
        self, geometries: Sequence[Geometry], *, memory: int | None = None
    ) -> list[Prediction]:
        """Predict several structures, as many at a time as are quickest and fit into memory.

        Parameters
        ----------
        geometries
            The structures.
        memory
            Bytes that one pass through the network may need beside the weights, as
            :func:`scdp_models.nn.passes.prediction_bytes` estimates it. None: what is quickest,
            and single structures however large.

        Raises
        ------
        GraphError
            As in :meth:`predict`, and if one structure alone needs more memory.
        """
        prepared = [self._graph(geometry) for geometry in geometries]
        results = self._coefficients(prepared, memory)
        return list(map(self._density, geometries, prepared, results))

    def _coefficients(
        self, graphs: Sequence[AtomGraph], memory: int | None
    ) -> Iterator[_Coefficients]:
        """Yield the coefficients of each structure."""
        import torch

        config, itemsize = self._network.config, self._dtype.itemsize
        for part in passes(graphs, config, itemsize=itemsize, memory=memory):
            batch = collate(part).to(self._dtype).to(self._device)
            with torch.inference_mode():
                output, excess = self._forward(batch)
            n_functions = _per_structure(self._network.counts(batch.numbers), batch)
            n_shells = _per_structure(self._network.shell_counts(batch.numbers), batch)
            parts = (
                (output.coefficients, n_functions),
                (output.exponent_factors, n_shells),
                (output.spin, n_functions),
            )
            yield from map(
                _Coefficients, *(_split(flat, sizes) for flat, sizes in parts), excess.tolist()
            )

    def _forward(self, batch: AtomGraph) -> tuple[NetworkOutput, torch.Tensor]:
        """Run the network, and correct the electron counts, off by the excess, in float64."""
        import torch

        network = self._network
        species = network.species(batch.numbers)
        output = self._padded(batch).double()
        graph = batch.to(torch.float64)
        held = network.projection.held(output.rows, species, output.factors)
        surplus = held - network.electrons[species]
        excess = graph.charge.index_add(0, graph.structure, surplus)
        if network.config.target == "total" and not self.reference.atoms:
            excess = torch.zeros_like(excess)
        if network.config.project_charge:
            output = network.counted(output, graph)
        return network.flat(output, batch.numbers), excess

    def _graph(self, geometry: Geometry) -> AtomGraph:
        numbers, positions = checked_structure(geometry.numbers, geometry.positions)
        self._check_state(numbers, geometry)
        weights = np.ones(len(numbers))
        if self._checkpoint.basis.has_midpoints:
            added, switch = self._midpoints(geometry, numbers, positions)
            numbers = np.concatenate([numbers, np.full(len(added), MIDPOINT)])
            positions = np.concatenate([positions, added])
            weights = np.concatenate([weights, switch])
        graph = build_graph(
            numbers,
            positions,
            self._checkpoint.network.cutoff,
            weights=weights,
            cell=geometry.cell,
            pbc=geometry.pbc,
        )
        return graph.with_state(*geometry.state)

    def _check_state(self, numbers: NDArray[np.int64], geometry: Geometry) -> None:
        """Refuse states that do not exist, or that the model does not know."""
        charge, unpaired = geometry.state
        if not self.handles_charge:
            if charge or unpaired:
                msg = (
                    f"charge {charge} and {unpaired} unpaired electrons, but the model knows "
                    "neutral closed shells only; use a model trained with charge_input=True"
                )
                raise GraphError(msg)
            return
        if any(geometry.pbc) or not set(numbers.tolist()) <= set(self.reference.atoms):
            return  # bands may be partly filled; the cores of some models are unknown
        n_electrons = round(self.reference.n_electrons(numbers)) - charge
        if n_electrons < max(unpaired, 1) or (n_electrons - unpaired) % 2:
            msg = (
                f"{n_electrons} electrons (charge {charge}) cannot leave {unpaired} unpaired; "
                "correct the charge, or the number of unpaired electrons"
            )
            raise GraphError(msg)

    def _midpoints(
        self, geometry: Geometry, numbers: NDArray[np.int64], positions: NDArray[np.float64]
    ) -> Midpoints:
        """Return the virtual centres: those given, or by the rule of the model."""
        if geometry.virtual_positions is not None:
            added = np.asarray(geometry.virtual_positions, dtype=float).reshape(-1, 3)
            return Midpoints(added, np.ones(len(added)))
        # The published rule for crystals is another program's; ours serves there.
        published = self._checkpoint.network.midpoint_rule == "published"
        if published and not any(geometry.pbc):
            added = published_midpoints(numbers, positions)
            return Midpoints(added, np.ones(len(added)))
        return bond_midpoints(numbers, positions, cell=geometry.cell, pbc=geometry.pbc)

    def _density(self, geometry: Geometry, graph: AtomGraph, result: _Coefficients) -> Prediction:
        numbers, positions = graph.numbers.numpy(), graph.positions.numpy()
        density = OrbitalDensity.from_basis(
            self._checkpoint.basis,
            numbers,
            positions,
            coefficients=result.coefficients,
            cell=geometry.cell,
            pbc=geometry.pbc,
        )
        if result.exponent_factors is not None:
            scaled = result.exponent_factors * density.shell_exponents
            density = replace(density, shell_exponents=scaled)
        spin = None if result.spin is None else replace(density, coefficients=result.spin)
        if self._checkpoint.network.target == "delta":
            atoms = self.reference.superposition(numbers, positions, geometry.cell, geometry.pbc)
            density = atoms + density
        return Prediction(density, result.excess_electrons, spin)


def _split(flat: torch.Tensor | None, sizes: list[int]) -> Iterator[NDArray[np.float64] | None]:
    """Cut values of a batch into those of its structures."""
    if flat is None:
        return iter([None] * len(sizes))
    return (part.cpu().numpy() for part in flat.split(sizes))


def _per_structure(of_node: torch.Tensor, batch: AtomGraph) -> list[int]:
    """Sum counts of each node over the structures of a batch."""
    total = of_node.new_zeros(batch.n_structures).index_add(0, batch.structure, of_node)
    counts: list[int] = total.tolist()
    return counts


def load(
    path: str | Path, dtype: str = "float32", *, device: str = "cpu", compiled: bool = False
) -> Model:
    """Load a checkpoint; the last ones are kept per process.

    Parameters
    ----------
    path
        A ``.safetensors`` file written by scdp-flows.
    dtype, device, compiled
        See :class:`Model`.

    Raises
    ------
    CheckpointError
        If the file is not a usable checkpoint, or there is no such device.
    """
    source = Path(path)
    if not source.is_file():
        msg = f"no checkpoint at {source}; give a .safetensors file written by scdp-flows"
        raise CheckpointError(msg)
    status = source.stat()
    version = (status.st_mtime_ns, status.st_size)
    return _load(str(source.resolve()), version, dtype, device=device, compiled=compiled)


# An ensemble of four on eight GPUs.
@lru_cache(maxsize=32)
def _load(
    path: str,
    version: tuple[int, int],  # noqa: ARG001 - a key of the cache
    dtype: str,
    *,
    device: str,
    compiled: bool,
) -> Model:
    return Model(load_checkpoint(path), dtype, device=device, compiled=compiled)


def pretrained_path(name: str = DEFAULT_PRETRAINED) -> Path:
    """Return the file of a shipped model.

    Raises
    ------
    CheckpointError
        If no model of that name is shipped; the message lists those there are.
    """
    folder = Path(str(resources.files("scdp_models") / "pretrained"))
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.safetensors"))) or "none"
        msg = f"no shipped model named {name!r}; there are: {known}"
        raise CheckpointError(msg)
    return path


def load_pretrained(name: str = DEFAULT_PRETRAINED, dtype: str = "float32") -> Model:
    """Load a model shipped with the package.

    Raises
    ------
    CheckpointError
        If no model of that name is shipped.
    """
    return load(pretrained_path(name), dtype)
