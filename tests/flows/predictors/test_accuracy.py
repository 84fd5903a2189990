"""Errors of predictions agree with what is known about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.errors import DensityError
from scdp_flows.predictors.accuracy import LabelComparison
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.base import Predicted
from scdp_flows.predictors.rendering import render

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.density import ChargeDensity
    from scdp_models.density.orbital import OrbitalDensity


@pytest.fixture
def truth(tiny_checkpoint: Path, water: Molecule) -> OrbitalDensity:
    """Give a density to be predicted."""
    return AtomicPredictor(model=str(tiny_checkpoint)).predict(water)


@pytest.fixture
def label(truth: OrbitalDensity, water: Molecule) -> ChargeDensity:
    """Give it on a grid."""
    return render(truth, water, spacing=0.3)


@pytest.fixture
def comparison(truth: OrbitalDensity, label: ChargeDensity) -> LabelComparison:
    """Compare with it."""
    return LabelComparison("id", label, n_electrons=8, fitted=truth, fit_error_ha=1e-4)


def test_a_perfect_prediction_has_the_error_of_the_fit_alone(
    comparison: LabelComparison, truth: OrbitalDensity
) -> None:
    row = comparison.errors(Predicted(truth, 0.0, 0.5))
    assert row.nmae_percent == pytest.approx(0, abs=1e-10)
    assert row.coulomb_error_ha == pytest.approx(1e-4)
    assert row.electron_error_e == pytest.approx(0, abs=1e-12)
    assert (row.density_id, row.formula, row.seconds) == ("id", "H2O", 0.5)


def test_a_scaled_density_is_wrong_by_what_it_was_scaled(
    comparison: LabelComparison, truth: OrbitalDensity, label: ChargeDensity
) -> None:
    from scdp_models.density.coulomb import coulomb_matrix

    row = comparison.errors(Predicted(truth.scaled(1.02), 0.0, 0.0))
    energy = 0.5 * truth.coefficients @ coulomb_matrix(truth) @ truth.coefficients
    # What is too weak to be evaluated is cut at another place than in the density itself.
    assert row.nmae_percent == pytest.approx(2, rel=1e-5)
    assert row.electron_error_e == pytest.approx(0.16)
    assert row.coulomb_error_ha == pytest.approx(1e-4 + 0.02**2 * energy)
    assert row.max_error_e_per_ang3 == pytest.approx(0.02 * label.values.max())
    assert row.dipole_error_e_ang == pytest.approx(0.02 * np.linalg.norm(truth.dipole()))


def test_the_shares_of_the_elements_add_up(
    comparison: LabelComparison, truth: OrbitalDensity
) -> None:
    oxygen_only = truth.coefficients.copy()
    oxygen_only[0] *= 1.01
    row = comparison.errors(Predicted(replace(truth, coefficients=oxygen_only), 0.0, 0.0))
    assert sum(row.nmae_by_element.values()) == pytest.approx(row.nmae_percent)
    assert row.nmae_by_element["O"] > 3 * row.nmae_by_element["H"]


def test_blocks_make_no_difference(
    comparison: LabelComparison,
    truth: OrbitalDensity,
    label: ChargeDensity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("scdp_flows.predictors.accuracy._BLOCK", 100)
    other = LabelComparison("id", label, n_electrons=8)
    wrong = Predicted(truth.translated([0.1, 0, 0]), 0.0, 0.0)
    assert other.errors(wrong).nmae_by_element == comparison.errors(wrong).nmae_by_element


def test_without_a_fit_there_is_no_coulomb_error(
    truth: OrbitalDensity, label: ChargeDensity
) -> None:
    row = LabelComparison("id", label, n_electrons=8).errors(Predicted(truth, 0.0, 0.0))
    assert row.coulomb_error_ha is None
    assert row.dipole_error_e_ang is None


def test_in_a_crystal_the_nearest_atom_may_be_an_image(tiny_checkpoint: Path) -> None:
    crystal = Structure(Lattice.cubic(4.0), ["O", "H"], [[0.05, 0.5, 0.5], [0.5, 0.5, 0.5]])
    truth = AtomicPredictor(model=str(tiny_checkpoint)).predict(crystal)
    label = render(truth, crystal, spacing=0.25)
    comparison = LabelComparison("id", label, n_electrons=7)
    nearest = comparison._nearest.reshape(label.shape)
    assert nearest[-1, 8, 8] == 1  # x = 3.75 Å: oxygen of the next cell, not hydrogen at 2 Å
    assert nearest[8, 8, 8] == 0


def test_an_empty_label_is_refused(label: ChargeDensity) -> None:
    with pytest.raises(DensityError, match="zero everywhere"):
        LabelComparison("id", replace(label, values=np.zeros(label.shape)), n_electrons=8)


def test_spin_is_judged_relative_to_the_spin_there_is(
    truth: OrbitalDensity, label: ChargeDensity
) -> None:
    radical = replace(label, magnetization=0.25 * label.values)
    predicted = Predicted(truth, 0.0, 0.0, spin_density=truth.scaled(0.26))
    row = LabelComparison("id", radical, n_electrons=8).errors(predicted)
    assert row.spin_nmae_percent == pytest.approx(4, rel=1e-3)
    closed = replace(label, magnetization=np.zeros(label.shape))
    row = LabelComparison("id", closed, n_electrons=8).errors(predicted)
    assert row.spin_nmae_percent == pytest.approx(26, rel=0.02)
    row = LabelComparison("id", label, n_electrons=8).errors(predicted)
    assert row.spin_nmae_percent is None
