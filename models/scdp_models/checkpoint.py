"""A trained model as one file: safetensors for the weights, JSON in its header for the rest.

Nothing is unpickled. The header holds a format version; :func:`load_checkpoint` upgrades older
versions step by step and refuses newer ones.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_models.basis.shells import BasisSet
from scdp_models.density.atomic import AtomicReference
from scdp_models.errors import CheckpointError
from scdp_models.nn.config import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from scdp_models.nn.network import DensityNetwork

__all__ = ["FORMAT_VERSION", "Checkpoint", "load_checkpoint", "save_checkpoint"]

FORMAT_VERSION = 2
_FORMAT = "scdp-density-model"
_METADATA_KEY = "scdp"


@dataclass(frozen=True)
class Checkpoint:
    """Everything a prediction needs.

    Attributes
    ----------
    network
        Hyper-parameters.
    basis
        Shells the coefficients multiply.
    reference
        Atomic densities the delta target is relative to.
    kind
        JSON document of the density kind the labels had.
    state
        Parameter and buffer name → tensor.
    training
        How it was trained and what its errors are; free-form JSON.
    source
        The file it was read from, for messages.
    """

    network: NetworkConfig
    basis: BasisSet
    reference: AtomicReference
    kind: Mapping[str, Any]
    state: Mapping[str, torch.Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    source: Path | None = None

    def header(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        return {
            "format": _FORMAT,
            "version": FORMAT_VERSION,
            "network": self.network.to_dict(),
            "basis": self.basis.to_dict(),
            "reference": self.reference.to_dict(),
            "kind": dict(self.kind),
            "training": dict(self.training),
        }

    def build(self) -> DensityNetwork:
        """Return the network with its weights, in evaluation mode.

        Raises
        ------
        CheckpointError
            If the weights do not fit the hyper-parameters.
        """
        from scdp_models.nn.network import DensityNetwork

        electrons = {z: atom.n_electrons for z, atom in self.reference.atoms.items()}
        total = electrons if self.network.target == "total" else None
        network = DensityNetwork(self.network, self.basis, electrons=total)
        try:
            network.load_state_dict(dict(self.state))
        except RuntimeError as error:
            where = self.source or "this checkpoint"
            first = str(error).splitlines()[1:2] or [str(error)]
            msg = (
                f"the weights in {where} do not fit the settings stored beside them, for example "
                f"{first[0].strip()}; export the model again"
            )
            raise CheckpointError(msg) from error
        return network.eval()


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint atomically.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    CheckpointError
        If the folder cannot be written to.
    """
    from safetensors.torch import save

    destination = Path(path)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()
    }
    payload = save(tensors, metadata={_METADATA_KEY: json.dumps(checkpoint.header())})
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=destination.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(payload)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(destination)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        msg = f"cannot write checkpoint {destination}: {error}; choose a folder you can write to"
        raise CheckpointError(msg) from error
    return destination


def _read(path: Path) -> tuple[str, dict[str, torch.Tensor]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        msg = f"no checkpoint at {path}; give a .safetensors file written by scdp-flows"
        raise CheckpointError(msg)
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        msg = f"{path} is not a readable safetensors file ({error}); it may be truncated"
        raise CheckpointError(msg) from error
    if _METADATA_KEY not in metadata:
        msg = f"{path} holds tensors but no scdp-flows header; it is another program's file"
        raise CheckpointError(msg)
    return metadata[_METADATA_KEY], state


def _upgrade_1(header: dict[str, Any]) -> dict[str, Any]:
    """Spell out what the only kind of network of version 1 was."""
    network = {
        "trunk": "compact",
        "mode": "equivariant",
        "readout": "linear",
        "scale_exponents": False,
        "midpoint_rule": "smooth",
        **header["network"],
    }
    return {**header, "network": network}


_UPGRADES: Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _upgrade_1}
"""Version → what makes its header one of the next version."""


def _upgraded(header: dict[str, Any]) -> dict[str, Any]:
    """Bring a header to the current version.

    Raises
    ------
    CheckpointError
        If it is of another format or of a newer or unknown version.
    """
    version = int(header["version"])
    if header["format"] != _FORMAT or not 1 <= version <= FORMAT_VERSION:
        msg = (
            f"it has format {header['format']!r} version {header['version']}; this version reads "
            f"{_FORMAT!r} up to {FORMAT_VERSION}. Upgrade scdp-flows"
        )
        raise CheckpointError(msg)
    while version < FORMAT_VERSION:
        header, version = _UPGRADES[version](header), version + 1
    return {**header, "version": version}


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, of another program or of a newer format version, or a
        field is missing; the message names the file and the field.
    """
    source = Path(path)
    text, state = _read(source)
    try:
        header = _upgraded(json.loads(text))
        return Checkpoint(
            network=NetworkConfig.from_dict(header["network"]),
            basis=BasisSet.from_dict(header["basis"]),
            reference=AtomicReference.from_dict(header["reference"]),
            kind=header["kind"],
            state=state,
            training=header.get("training", {}),
            source=source,
        )
    except CheckpointError as error:
        msg = f"{source} cannot be used: {error}"
        raise CheckpointError(msg) from error
    except KeyError as error:
        msg = f"the header of {source} lacks the field {error}; export the model again"
        raise CheckpointError(msg) from error
    except (TypeError, ValueError, AttributeError) as error:
        msg = f"{source} has a damaged header ({error!r}); export the model again"
        raise CheckpointError(msg) from error
