"""What a network is built from: a frozen record stored in every checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from scdp_models.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NetworkConfig"]

_CHOICES = {
    "trunk": ("compact", "escn"),
    "target": ("delta", "total"),
    "mode": ("equivariant", "legacy"),
    "activation": ("gate", "s2"),
    "readout": ("linear", "tensor_product"),
    "midpoint_rule": ("smooth", "published"),
}
# What the published model is, besides trunk="escn".
_LEGACY = {"activation": "s2", "readout": "tensor_product", "oversampling": 1.0}


@dataclass(frozen=True)
class NetworkConfig:
    """Hyper-parameters of a network.

    Attributes
    ----------
    trunk
        Which message-passing trunk: ``"compact"`` (quadratic products on an exact sphere grid) or
        ``"escn"`` (the published one).
    target
        ``"delta"``: the network predicts the difference to the superposition of atomic
        densities; ``"total"``: the density itself.
    n_layers
        Message-passing layers.
    n_channels
        Channels per degree.
    lmax
        Highest degree of the node features.
    cutoff
        Å.
    n_radial
        Bessel functions of the distance (compact).
    pair_embedding
        Width of the embedding of a pair of species (compact).
    radial_hidden
        Hidden width of the radial network (compact).
    blocks_per_layer
        Quadratic product blocks after each message-passing step (compact).
    project_charge
        Whether the electron count is corrected per connected component.
    mode
        ``"equivariant"``: exact symmetries, sizes, smoothness; ``"legacy"``: the published
        arithmetic with its defects, for published weights and for comparisons (escn).
    activation
        ``"gate"``: exactly equivariant; ``"s2"``: SiLU on a sphere grid (escn).
    oversampling
        Factor on the grid of ``"s2"`` (escn).
    mmax
        Highest order kept in the frame of an edge (escn).
    n_hidden
        Hidden width of the SO(2) layers (escn), and number of invariants of the exponent scaling.
    edge_channels
        Width of the edge scalars (escn).
    distance_spacing
        Å; distance of the Gaussians that expand distances (escn).
    readout
        ``"linear"``: one map per species and degree; ``"tensor_product"``: products of all pairs
        of features, as published.
    scale_exponents
        Whether the network also predicts a factor on the exponent of every shell.
    midpoint_rule
        Where virtual centres go in a prediction: ``"smooth"``
        (:func:`scdp_models.virtual_nodes.bond_midpoints`), or ``"published"``, the rule that
        published weights were trained with (legacy).
    charge_input
        Whether total charge and number of unpaired electrons of a structure enter; without, only
        neutral structures are predicted.
    spin_output
        Whether the spin density (up less down) is predicted beside the density, in the same
        shells. Needs `charge_input`.
    """

    trunk: str = "compact"
    target: str = "delta"
    n_layers: int = 2
    n_channels: int = 32
    lmax: int = 4
    cutoff: float = 5.0
    n_radial: int = 8
    pair_embedding: int = 16
    radial_hidden: int = 48
    blocks_per_layer: int = 2
    project_charge: bool = True
    mode: str = "equivariant"
    activation: str = "gate"
    oversampling: float = 1.0
    mmax: int = 2
    n_hidden: int = 128
    edge_channels: int = 64
    distance_spacing: float = 0.02
    readout: str = "linear"
    scale_exponents: bool = False
    midpoint_rule: str = "smooth"
    charge_input: bool = False
    spin_output: bool = False

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if (found := getattr(self, name)) not in known:
                msg = f"unknown {name} {found!r}; known: {', '.join(known)}"
                raise CheckpointError(msg)
        counts = (self.n_layers, self.n_channels, self.n_radial, self.blocks_per_layer)
        widths = (self.pair_embedding, self.radial_hidden, self.n_hidden, self.edge_channels)
        if min(*counts, *widths) < 1 or self.lmax < 0 or not self.cutoff > 0:
            msg = f"layers, widths and cutoff must be positive, lmax at least 0: {self}"
            raise CheckpointError(msg)
        self._check_trunk()
        self._check_mode()
        self._check_state()

    def _check_trunk(self) -> None:
        if self.trunk == "escn":
            if not 0 <= self.mmax <= self.lmax:
                msg = f"mmax is {self.mmax}; give one between 0 and lmax, {self.lmax}"
                raise CheckpointError(msg)
            if not 0 < self.distance_spacing <= self.cutoff / 2 or not self.oversampling >= 1:
                msg = (
                    f"distance_spacing {self.distance_spacing} and oversampling "
                    f"{self.oversampling} must be in (0, cutoff / 2] and at least 1"
                )
                raise CheckpointError(msg)
        elif self.activation != "gate" or self.oversampling != 1:
            msg = "activation and oversampling are settings of trunk 'escn'; leave them out"
            raise CheckpointError(msg)
        if self.activation == "gate" and self.oversampling != 1:
            msg = "oversampling is for activation 's2'; leave it out, or set that activation"
            raise CheckpointError(msg)

    def _check_mode(self) -> None:
        if self.mode == "equivariant":
            if self.midpoint_rule == "published":
                msg = "midpoint_rule 'published' makes densities jump and is for mode 'legacy'"
                raise CheckpointError(msg)
            return
        wanted = {"trunk": "escn", **_LEGACY}
        other = {k: getattr(self, k) for k, v in wanted.items() if getattr(self, k) != v}
        if other:
            msg = f"mode 'legacy' is the published model; {other} do not fit, set {wanted}"
            raise CheckpointError(msg)

    def _check_state(self) -> None:
        if self.spin_output and not self.charge_input:
            msg = "spin_output needs the number of unpaired electrons; set charge_input=True too"
            raise CheckpointError(msg)
        if self.spin_output and self.scale_exponents:
            msg = "spin densities are learnt from fits, which belong to fixed exponents; leave out "
            msg += "scale_exponents or spin_output"
            raise CheckpointError(msg)
        if self.legacy and self.charge_input:
            msg = "mode 'legacy' is the published model, which knows no charge; leave charge_input"
            raise CheckpointError(msg)

    @property
    def legacy(self) -> bool:
        """Whether the published arithmetic is wanted."""
        return self.mode == "legacy"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> NetworkConfig:
        """Rebuild a configuration.

        Raises
        ------
        CheckpointError
            If the document has an unknown field (written by a newer version, or misspelt).
        """
        unknown = sorted(set(document) - {f.name for f in fields(cls)})
        if unknown:
            msg = f"unknown network settings {unknown}; upgrade scdp-flows or correct the name"
            raise CheckpointError(msg)
        return cls(**document)
