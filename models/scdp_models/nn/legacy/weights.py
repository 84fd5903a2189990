"""The names of published weights in our networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_models.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from scdp_models.nn.network import DensityNetwork

__all__ = ["network_state"]

# Published name → ours; the rest of the network is the trunk.
_PREFIXES = {
    "model.orbit_readout.": "readout.product.",
    "model.expo_scaling_readout.": "exponents.readout.",
    "model.expo_scaling_linear.": "exponents.linear.",
}
_TABLES = ("unique_atom_types", "n_Ls", "n_orbitals", "orb_index", "L_index", "scale")


def network_state(
    network: DensityNetwork, state: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename a published state dict for a network made for it.

    Raises
    ------
    CheckpointError
        If a tensor is missing, left over or of another shape.
    """
    renamed = {}
    for name, tensor in state.items():
        if name.startswith("gto_dict.") or name.endswith("distance_expansion.offset"):
            continue
        if name in _TABLES:
            if name == "scale":
                renamed["readout.scale"] = tensor
            continue
        prefix = next((p for p in _PREFIXES if name.startswith(p)), "model.")
        renamed[_PREFIXES.get(prefix, "trunk.") + name.removeprefix(prefix)] = tensor
    expected = network.state_dict()
    for name in sorted(set(expected) ^ set(renamed)):
        there = "lacks" if name in expected else "has a left-over"
        msg = f"the state dict {there} tensor for {name}; it is not of the official layout"
        raise CheckpointError(msg)
    for name, tensor in renamed.items():
        if tensor.shape != expected[name].shape:
            msg = (
                f"the tensor for {name} has shape {tuple(tensor.shape)}, but the settings need "
                f"{tuple(expected[name].shape)}"
            )
            raise CheckpointError(msg)
    return renamed
