"""The Coulomb self-energy of the error of fitted coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from scdp_models.training.labels import PredictedDensity, StructureLabel

__all__ = ["coulomb_energy", "coulomb_spin_energy"]


def coulomb_energy(predicted: PredictedDensity, label: StructureLabel) -> torch.Tensor:
    """Return (c - c*)' V (c - c*) / 2, Ha, with V the Coulomb metric among the functions.

    The exponents must be those the label was fitted with.
    """
    fit = label.wanted_fit()
    error = predicted.coefficients - fit.coefficients
    return 0.5 * error @ (fit.metric @ error)


def coulomb_spin_energy(predicted: PredictedDensity, label: StructureLabel) -> torch.Tensor:
    """Return (m - m*)' V (m - m*) / 2, Ha, of the spin density; that of closed shells is zero."""
    fit, error = label.wanted_fit(), predicted.wanted_spin()
    if fit.spin is not None:
        error = error - fit.spin
    return 0.5 * error @ (fit.metric @ error)
