"""Labels and predictions of one structure, as the losses see them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    import torch

    from scdp_models.training.gaussians import ShellLayout

__all__ = ["FitLabel", "PredictedDensity", "ProbeLabel", "StructureLabel", "WaveLabel"]

PartT = TypeVar("PartT")


@dataclass(frozen=True)
class FitLabel:
    """Fitted coefficients.

    Attributes
    ----------
    coefficients
        c*, shape ``(n_functions,)``.
    metric
        V, shape ``(n_functions, n_functions)``, Ha.
    spreads
        Root mean square of each coefficient in the training set, shape ``(n_functions,)``.
    spin
        Coefficients of the spin density, shape ``(n_functions,)``; None for a closed shell.
    """

    coefficients: torch.Tensor
    metric: torch.Tensor
    spreads: torch.Tensor
    spin: torch.Tensor | None = None


@dataclass(frozen=True)
class ProbeLabel:
    """Densities at probes.

    Attributes
    ----------
    points
        Shape ``(n_probes, 3)``, bohr, about the origin of the layout.
    target
        Shape ``(n_probes,)``, e/Å^3.
    mean_density
        Mean of the total density over the probes, e/Å^3.
    table
        Function values ``(n_probes, n_functions)`` in e/Å^3, where exponents are fixed and the
        table is small; else the functions are evaluated in every step.
    """

    points: torch.Tensor
    target: torch.Tensor
    mean_density: torch.Tensor
    table: torch.Tensor | None


@dataclass(frozen=True)
class WaveLabel:
    """Fourier coefficients.

    Attributes
    ----------
    vectors
        Shape ``(n_waves, 3)``, bohr^-1.
    target
        Shape ``(n_waves, 2)``: real and imaginary part about the origin of the layout, electrons.
    weights
        Shape ``(n_waves,)``, Ha.
    """

    vectors: torch.Tensor
    target: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class StructureLabel:
    """What one structure is trained towards; parts that no loss of the step needs are None.

    Attributes
    ----------
    n_functions, n_shells
        Sizes of what is predicted.
    layout
        The shells; None where no loss needs them.
    fit, probes, waves
        Label.
    """

    n_functions: int
    n_shells: int
    layout: ShellLayout | None = None
    fit: FitLabel | None = None
    probes: ProbeLabel | None = None
    waves: WaveLabel | None = None

    def to(self, target: torch.device | torch.dtype) -> StructureLabel:
        """Move to a device, or convert the floating-point tensors to a dtype."""
        return StructureLabel(
            self.n_functions,
            self.n_shells,
            None if self.layout is None else self.layout.to(target),
            _moved(self.fit, target),
            _moved(self.probes, target),
            _moved(self.waves, target),
        )

    def wanted_fit(self) -> FitLabel:
        """Return the fit; its absence is an error."""
        return _present(self.fit, "fit")

    def wanted_layout(self) -> ShellLayout:
        """Return the layout; its absence is an error."""
        return _present(self.layout, "shell layout")

    def wanted_probes(self) -> ProbeLabel:
        """Return the probes; their absence is an error."""
        return _present(self.probes, "probes")

    def wanted_waves(self) -> WaveLabel:
        """Return the waves; their absence is an error."""
        return _present(self.waves, "waves")


def _moved(part: PartT, target: torch.device | torch.dtype) -> PartT:
    if part is None:
        return part
    moved = {}
    for item in fields(part):  # type: ignore[arg-type]
        tensor = getattr(part, item.name)
        moved[item.name] = None if tensor is None else tensor.to(target)
    return type(part)(**moved)


def _present(part: PartT | None, name: str) -> PartT:
    if part is None:
        msg = f"a structure of this batch has no {name}, which the loss needs"
        raise TrainingError(msg)
    return part


@dataclass(frozen=True)
class PredictedDensity:
    """What the network says of one structure.

    Attributes
    ----------
    coefficients
        Shape ``(n_functions,)``.
    factors
        On the exponents, shape ``(n_shells,)``; None where they are fixed.
    spin
        Coefficients of the spin density, shape ``(n_functions,)``; None where none is predicted.
    """

    coefficients: torch.Tensor
    factors: torch.Tensor | None = None
    spin: torch.Tensor | None = None

    def wanted_spin(self) -> torch.Tensor:
        """Return the spin density; its absence is an error."""
        return _present(self.spin, "predicted spin density (spin_output)")

    def exponents(self, layout: ShellLayout) -> torch.Tensor:
        """Return the exponents of all shells, bohr^-2."""
        return layout.exponents if self.factors is None else layout.exponents * self.factors
