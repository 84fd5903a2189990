"""The error of each fitted coefficient by itself, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from scdp_models.training.labels import PredictedDensity, StructureLabel

__all__ = ["coefficient_error"]


def coefficient_error(predicted: PredictedDensity, label: StructureLabel) -> torch.Tensor:
    """Return the mean over functions of (c - c*)^2 divided by its mean square in the training set.

    Coefficients of one species, degree and exponent share their mean square. The exponents must be
    those the label was fitted with.
    """
    fit = label.wanted_fit()
    return (((predicted.coefficients - fit.coefficients) / fit.spreads) ** 2).mean()
