"""What each loss needs, its unit, and the scale that makes one learning rate serve all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOSS_KINDS", "LossKind", "LossSwitch", "checked_loss"]


class LossKind(NamedTuple):
    """A family of losses.

    Attributes
    ----------
    unit
        ``"ha"``, ``"e_per_ang3"`` or ``"relative"``; as suffix of names of metrics.
    part
        What it needs of a label: ``"fit"``, ``"probes"`` or ``"waves"``; the latter two are drawn
        from a grid.
    scale
        Brings a loss in its unit near one for a difference density of a small molecule, so that
        one clipping norm and learning rate serve all.
    """

    unit: str
    part: str
    scale: float


LOSS_KINDS = {
    "coulomb": LossKind("ha", "fit", 20.0),
    "grid_mae": LossKind("e_per_ang3", "probes", 20.0),
    "coulomb_g": LossKind("ha", "waves", 20.0),
    "coefficients": LossKind("relative", "fit", 1.0),
    "coulomb_spin": LossKind("ha", "fit", 20.0),
}
"""Every loss by name."""


def checked_loss(name: str) -> str:
    """Return the name of a loss.

    Raises
    ------
    TrainingError
        If there is none of this name.
    """
    if name not in LOSS_KINDS:
        msg = f"unknown loss {name!r}; known: {', '.join(LOSS_KINDS)}"
        raise TrainingError(msg)
    return name


@dataclass(frozen=True)
class LossSwitch:
    """Another loss for the rest of the run.

    Attributes
    ----------
    after
        Share of the run, in (0, 1), after which it takes over.
    to
        Its name.
    """

    after: float
    to: str

    def __post_init__(self) -> None:
        checked_loss(self.to)
        if not 0 < self.after < 1:
            msg = f"loss_switch.after is {self.after}; give a share of the run between 0 and 1"
            raise TrainingError(msg)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> LossSwitch:
        """Rebuild from the JSON document ``{"after": ..., "to": ...}``.

        Raises
        ------
        TrainingError
            If a field is missing or unknown.
        """
        if set(document) != {"after", "to"}:
            msg = f"loss_switch has the fields {sorted(document)}; expected 'after' and 'to'"
            raise TrainingError(msg)
        return cls(float(document["after"]), str(document["to"]))
