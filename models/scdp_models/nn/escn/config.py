"""What an eSCN trunk is built from."""

from __future__ import annotations

from dataclasses import dataclass

from scdp_models.errors import CheckpointError

__all__ = ["EscnConfig"]

_MODES = ("equivariant", "legacy")
_ACTIVATIONS = ("gate", "s2")


@dataclass(frozen=True)
class EscnConfig:
    """Hyper-parameters of an eSCN trunk.

    Attributes
    ----------
    n_layers
        Message-passing layers.
    lmax, mmax
        Highest degree of the node features, and highest order kept in the frame of an edge.
    n_channels, n_hidden, edge_channels
        Channels per component, hidden width of the SO(2) layers, width of the edge scalars.
    cutoff
        Å.
    distance_spacing
        Å; distance (and, nearly, width) of the Gaussians that expand distances.
    mode
        ``"equivariant"``: rotations, reflections, permutations and sizes are respected to
        rounding; ``"legacy"``: the published arithmetic.
    activation
        ``"gate"``: scalars gate what has a direction; ``"s2"``: SiLU of values on a sphere grid,
        equivariant only as far as the grid resolves it. Legacy always works on grids.
    oversampling
        Factor on both numbers of grid points of ``"s2"``; 1 is the published grid.
    """

    n_layers: int = 4
    lmax: int = 3
    mmax: int = 2
    n_channels: int = 128
    n_hidden: int = 256
    edge_channels: int = 128
    cutoff: float = 6.0
    distance_spacing: float = 0.02
    mode: str = "equivariant"
    activation: str = "gate"
    oversampling: float = 1.0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("mode", self.mode, _MODES),
            ("activation", self.activation, _ACTIVATIONS),
        ):
            if value not in known:
                msg = f"unknown {name} {value!r}; known: {', '.join(known)}"
                raise CheckpointError(msg)
        counts = (self.n_layers, self.n_channels, self.n_hidden, self.edge_channels)
        if min(counts) < 1 or not 0 <= self.mmax <= self.lmax:
            msg = f"layers and widths must be positive and 0 <= mmax <= lmax: {self}"
            raise CheckpointError(msg)
        if not 0 < self.distance_spacing <= self.cutoff / 2 or not self.oversampling >= 1:
            msg = f"expected 0 < distance_spacing <= cutoff / 2 and oversampling >= 1: {self}"
            raise CheckpointError(msg)

    @property
    def legacy(self) -> bool:
        """Whether the published arithmetic is wanted."""
        return self.mode == "legacy"

    @property
    def on_grid(self) -> bool:
        """Whether non-linearities act on the values on a sphere grid."""
        return self.legacy or self.activation == "s2"
