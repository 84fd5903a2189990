"""The constants against scipy's CODATA tables."""

from __future__ import annotations

import pytest
from scipy import constants

from scdp_models.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV


def test_bohr_radius() -> None:
    bohr = constants.physical_constants["Bohr radius"][0] * 1e10
    assert pytest.approx(bohr, rel=1e-9) == BOHR_TO_ANGSTROM


def test_hartree_energy() -> None:
    hartree = constants.physical_constants["Hartree energy in eV"][0]
    assert pytest.approx(hartree, rel=1e-10) == HARTREE_TO_EV


def test_they_belong_together() -> None:
    # e^2/(4 pi eps0) = 14.3996 eV Å is one Hartree times one bohr.
    coulomb = constants.e / (4 * constants.pi * constants.epsilon_0) * 1e10
    assert pytest.approx(coulomb, rel=1e-9) == BOHR_TO_ANGSTROM * HARTREE_TO_EV
