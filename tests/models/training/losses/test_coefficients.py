"""The error of each coefficient by itself."""

from __future__ import annotations

import pytest
import torch

from scdp_models.training.labels import FitLabel, PredictedDensity, StructureLabel
from scdp_models.training.losses.coefficients import coefficient_error


def test_errors_are_measured_in_spreads() -> None:
    fit = FitLabel(torch.tensor([1.0, 2.0]), torch.eye(2), torch.tensor([0.1, 10.0]))
    label = StructureLabel(2, 2, fit=fit)
    predicted = PredictedDensity(torch.tensor([1.2, 12.0]))
    assert coefficient_error(predicted, label).item() == pytest.approx((4.0 + 1.0) / 2)
