"""Predictions to start from, and weights of earlier geometries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.path import predicted_start, weights_to_one
from scdp_flows.errors import CalculationError, ModelError
from scdp_flows.predictors.base import Predicted

if TYPE_CHECKING:
    from pymatgen.core import Molecule


class Fixed:
    """A predictor that knows no spin; it fails without a density."""

    def __init__(self, density: Any = None) -> None:
        self.density = density

    def predict_many(self, structures: Any) -> Any:
        for _ in structures:
            if self.density is None:
                raise ModelError("no model")
            yield Predicted(self.density, 0.0, 0.0)


@pytest.mark.parametrize(
    ("density", "needs_spin", "reason"),
    [(None, False, "no model"), (1, True, "no spin densities")],
    ids=["failure", "no-spin"],
)
def test_why_nothing_can_be_started_from(
    water: Molecule, density: Any, needs_spin: bool, reason: str
) -> None:
    with pytest.raises(CalculationError, match=reason):
        predicted_start(Fixed(density), water, needs_spin=needs_spin)  # type: ignore[arg-type]


def test_a_prediction_is_a_start(water: Molecule) -> None:
    density: Any = object()
    assert predicted_start(Fixed(density), water, needs_spin=False) is density  # type: ignore[arg-type]


def test_weights_continue_a_straight_line() -> None:
    newest, before, new = np.array([1.0, 2.0]), np.array([0.5, 1.0]), np.array([1.5, 3.0])
    direction = before - newest
    weights = weights_to_one(
        np.array([[direction @ direction]]), np.array([direction @ (new - newest)])
    )
    assert weights == pytest.approx([-1, 2], abs=1e-3)
