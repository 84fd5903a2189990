"""What a published checkpoint is: read from its hyper-parameters, checked against its weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.errors import BasisError, CheckpointError
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import PUBLISHED_ELEMENTS
from scdp_models.nn.readout import function_columns

__all__ = ["PublishedSettings", "model_hparams", "read_settings"]

_LAYER = re.compile(r"model\.layer_blocks\.(\d+)\.")
_CONVOLUTION = re.compile(
    r"model\.layer_blocks\.0\.message_block\.so2_block_source\.so2_conv\.(\d+)\."
)
_BLOCK = "model.layer_blocks.0.message_block."
_FIXED: dict[str, Any] = {"distance_function": "gaussian", "basis_width_scalar": 1.0}


@dataclass(frozen=True)
class PublishedSettings:
    """A published checkpoint's settings in our terms.

    Attributes
    ----------
    network
        Hyper-parameters of the network.
    basis
        Shells of each species; 0 are the virtual nodes.
    scale
        Factor on the density.
    density_cutoff
        Å; functions end there.
    periodic
        Whether densities were taken as periodic.
    """

    network: NetworkConfig
    basis: BasisSet
    scale: float
    density_cutoff: float
    periodic: bool


def model_hparams(hparams: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of the model, also from a whole ``config.yaml``.

    Raises
    ------
    CheckpointError
        If there are none.
    """
    found: Any = hparams
    # A run's configuration holds those of the Lightning module under "model", whose network is
    # again called "model".
    nested = found.get("model") if isinstance(found, Mapping) else None
    if isinstance(nested, Mapping) and isinstance(nested.get("model"), Mapping):
        found = {**nested, **{k: found[k] for k in ("metadata",) if k in found}}
    if not isinstance(found, Mapping) or not isinstance(found.get("model"), Mapping):
        msg = "the hyper-parameters lack the section 'model'; give those of the official run"
        raise CheckpointError(msg)
    return dict(found)


def _shape(state: Mapping[str, torch.Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    tensor = state.get(name)
    if tensor is None or tensor.ndim != dimensions:
        shape = None if tensor is None else tuple(tensor.shape)
        msg = (
            f"the state dict has {name} of shape {shape}, expected {dimensions} dimensions; give "
            "the state_dict of the official Lightning module"
        )
        raise CheckpointError(msg)
    return tuple(tensor.shape)


def _network_sizes(state: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Read the sizes of the network off its weights, under the names of the hyper-parameters."""
    rows, channels = _shape(state, "model.sphere_embedding.weight", 2)
    if rows != PUBLISHED_ELEMENTS:
        msg = f"model.sphere_embedding.weight has {rows} rows, expected {PUBLISHED_ELEMENTS}"
        raise CheckpointError(msg)
    hidden, inputs = _shape(state, _BLOCK + "so2_block_source.fc1_m0.weight", 2)
    layers = {int(found[1]) for name in state if (found := _LAYER.match(name))}
    orders = {int(found[1]) for name in state if (found := _CONVOLUTION.match(name))}
    return {
        "num_layers": max(layers) + 1,
        "lmax_list": inputs // channels - 1,
        "mmax_list": max(orders, default=-1) + 1,
        "sphere_channels": channels,
        "hidden_channels": hidden,
        "edge_channels": _shape(state, _BLOCK + "edge_block.fc1_dist.weight", 2)[0],
    }


def _check_sizes(sizes: Mapping[str, int], section: Mapping[str, Any]) -> None:
    for name, found in sizes.items():
        if name not in section:
            continue
        said = section[name]
        if isinstance(said, list | tuple):
            if len(said) != 1:
                msg = f"hyper-parameter {name} is {said}; one resolution is supported"
                raise CheckpointError(msg)
            said = said[0]
        if said != found:
            msg = f"hyper-parameter {name} is {said}, but the weights have {found}"
            raise CheckpointError(msg)
    for name, expected in _FIXED.items():
        if section.get(name, expected) != expected:
            msg = f"hyper-parameter {name} is {section[name]!r}; only {expected!r} is supported"
            raise CheckpointError(msg)


def _distances(
    state: Mapping[str, torch.Tensor], section: Mapping[str, Any]
) -> tuple[float, float]:
    """Return cut-off and spacing (Å) of the distance expansion."""
    name = "model.distance_expansion.offset"
    (count,) = _shape(state, name, 1)
    last = float(state[name][-1])
    cutoff = float(section.get("cutoff", 6.0))
    spacing = float(section.get("distance_resolution", 0.02))
    if abs(last - cutoff) > 1e-4 or count != int(cutoff / spacing):
        msg = (
            f"{name} has {count} centres up to {last:.6g} Å; the hyper-parameters cutoff {cutoff} "
            f"and distance_resolution {spacing} mean {int(cutoff / spacing)} up to {cutoff} Å"
        )
        raise CheckpointError(msg)
    return cutoff, spacing


def _read_basis(state: Mapping[str, torch.Tensor]) -> BasisSet:
    if any(name.endswith(".con_idx") for name in state):
        msg = "the checkpoint has contracted orbitals (con_idx); only uncontracted ones are known"
        raise CheckpointError(msg)
    _shape(state, "unique_atom_types", 1)
    species = {}
    for z in state["unique_atom_types"].tolist():
        _shape(state, f"gto_dict.{z}.Ls", 1)
        _shape(state, f"gto_dict.{z}.expos", 1)
        ls, exponents = state[f"gto_dict.{z}.Ls"], state[f"gto_dict.{z}.expos"]
        try:
            species[z] = ElementBasis(
                tuple(int(l) for l in ls), tuple(float(a) for a in exponents.double())
            )
        except BasisError as error:
            msg = f"gto_dict.{z} is no set of shells: {error}"
            raise CheckpointError(msg) from error
    basis = BasisSet("published", species)
    _check_layout(state, basis)
    return basis


def _check_layout(state: Mapping[str, torch.Tensor], basis: BasisSet) -> None:
    """Make sure that the columns of the checkpoint are where ours are."""
    per_degree, columns = function_columns(basis)
    widths = {
        "orb_index": sum(n * (2 * l + 1) for l, n in enumerate(per_degree)),
        "L_index": max(shells.n_shells for shells in basis.species.values()),
    }
    for name, width in widths.items():
        if _shape(state, name, 2)[1] != width:
            msg = f"{name} has {state[name].shape[1]} columns; the shells in gto_dict need {width}"
            raise CheckpointError(msg)
    for z, own in columns.items():
        if not torch.equal(state["orb_index"][z].nonzero()[:, 0], own):
            msg = f"orb_index of species {z} does not mark the functions of gto_dict.{z}"
            raise CheckpointError(msg)


def read_settings(
    state: Mapping[str, torch.Tensor], hparams: Mapping[str, Any]
) -> PublishedSettings:
    """Infer what a checkpoint is from weights and hyper-parameters.

    Parameters
    ----------
    state
        State dict of the official Lightning module.
    hparams
        Hyper-parameters of that module, or a whole ``config.yaml``.

    Raises
    ------
    CheckpointError
        If something is missing, or weights and hyper-parameters contradict each other.
    """
    own = model_hparams(hparams)
    section = own["model"]
    sizes = _network_sizes(state)
    _check_sizes(sizes, section)
    scaled = "model.expo_scaling_linear.weight" in state
    if bool(own.get("expo_trainable", scaled)) != scaled:
        there = "has" if scaled else "lacks"
        msg = f"expo_trainable is {not scaled}, but the state dict {there} expo_scaling weights"
        raise CheckpointError(msg)
    basis = _read_basis(state)
    cutoff, spacing = _distances(state, section)
    network = NetworkConfig(
        trunk="escn",
        mode="legacy",
        target="total",
        activation="s2",
        readout="tensor_product",
        n_layers=sizes["num_layers"],
        lmax=sizes["lmax_list"],
        mmax=sizes["mmax_list"],
        n_channels=sizes["sphere_channels"],
        n_hidden=sizes["hidden_channels"],
        edge_channels=sizes["edge_channels"],
        scale_exponents=scaled,
        project_charge=False,
        midpoint_rule="published",
        cutoff=cutoff,
        distance_spacing=spacing,
    )
    _shape(state, "scale", 1)
    return PublishedSettings(
        network=network,
        basis=basis,
        scale=float(state["scale"][0]),
        density_cutoff=float(own.get("orb_cutoff", 5.0)),
        periodic=bool(own.get("pbc", False)),
    )
