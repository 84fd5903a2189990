"""What a network is built from: a frozen record stored in every checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from scdp_models.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NetworkConfig"]

_TRUNKS = ("compact",)
_TARGETS = ("delta", "total")


@dataclass(frozen=True)
class NetworkConfig:
    """Hyper-parameters of a network.

    Attributes
    ----------
    trunk
        Which message-passing trunk: ``"compact"``.
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
        Bessel functions of the distance.
    pair_embedding
        Width of the embedding of a pair of species.
    radial_hidden
        Hidden width of the radial network.
    blocks_per_layer
        Quadratic product blocks after each message-passing step.
    project_charge
        Whether the electron count is corrected per connected component.
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

    def __post_init__(self) -> None:
        if self.trunk not in _TRUNKS:
            msg = f"unknown trunk {self.trunk!r}; known: {', '.join(_TRUNKS)}"
            raise CheckpointError(msg)
        if self.target not in _TARGETS:
            msg = f"unknown target {self.target!r}; known: {', '.join(_TARGETS)}"
            raise CheckpointError(msg)
        counts = (self.n_layers, self.n_channels, self.n_radial, self.blocks_per_layer)
        widths = (self.pair_embedding, self.radial_hidden)
        if min(*counts, *widths) < 1 or self.lmax < 0 or not self.cutoff > 0:
            msg = f"layers, widths and cutoff must be positive, lmax at least 0: {self}"
            raise CheckpointError(msg)

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
