"""Predictions to start from, and weights of earlier geometries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase import Atoms

from scdp_flows.dft.path import PathCalculator, predicted_start, weights_to_one
from scdp_flows.errors import CalculationError, ModelError, SettingsError, StructureError
from scdp_flows.predictors.base import Predicted

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.dft.path import ElectronicState


class Fixed:
    """A predictor that knows no spin; it fails without a density."""

    def __init__(self, density: Any = None) -> None:
        self.density = density

    def predict_many(self, structures: Any) -> Any:
        for _ in structures:
            if self.density is None:
                raise ModelError("no model")
            yield Predicted(self.density, 0.0, 0.0)


class Code:
    """A code that starts from nothing."""

    policy = "default"
    needs_predictor = False

    def kind(self) -> Any:
        return None


class Charges(PathCalculator):
    """A calculator whose energy is the charge, and a tenth of the multiplicity."""

    name = "charges"
    default_parameters = {"charge": None, "spin_multiplicity": None}  # noqa: RUF012 - as ASE's

    def __init__(self) -> None:
        super().__init__(Code(), None)

    def _compute(self, atoms: Atoms, state: ElectronicState) -> None:
        del atoms
        self.run = state
        self.results = {"energy": state.charge + 0.1 * (state.spin_multiplicity or 0)}


@pytest.fixture
def pair() -> Atoms:
    """Give two atoms that are computed."""
    return Atoms("H2", [[0, 0, 0], [0, 0, 1]], calculator=Charges())


def test_atoms_of_ase_say_charge_and_moments(pair: Atoms) -> None:
    assert pair.get_potential_energy() == 0
    pair.set_initial_charges([1, 0])
    pair.set_initial_magnetic_moments([1, 0])
    assert pair.get_potential_energy() == pytest.approx(1.2)
    pair.calc.set(charge=-1, spin_multiplicity=4)
    assert pair.get_potential_energy() == pytest.approx(-0.6)


@pytest.mark.parametrize(
    ("given", "own", "reason"),
    [({"charge": 1}, 0, "make them equal"), ({"charge": 0.4}, None, "whole number")],
    ids=["two-charges", "a-part"],
)
def test_charges_that_cannot_be_are_refused(
    pair: Atoms, given: dict[str, Any], own: Any, reason: str
) -> None:
    pair.calc.set(charge=own)
    vars(pair).update(given)
    with pytest.raises(StructureError, match=reason):
        pair.get_potential_energy()


def test_parameters_that_do_not_exist_are_refused(pair: Atoms) -> None:
    with pytest.raises(SettingsError, match="no parameter total_charge"):
        pair.calc.set(total_charge=1)


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
