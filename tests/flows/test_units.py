from __future__ import annotations

import pytest
import scipy.constants

from scdp_flows import units
from scdp_models import units as model_units


@pytest.mark.parametrize("name", units.__all__)
def test_constants_equal_those_of_the_models(name: str) -> None:
    assert getattr(units, name) == getattr(model_units, name)


def test_constants_are_those_of_codata() -> None:
    bohr = scipy.constants.physical_constants["Bohr radius"][0] * 1e10
    hartree = scipy.constants.physical_constants["Hartree energy in eV"][0]
    # Between the releases of 2018 and 2022 the tenth digit differs.
    assert pytest.approx(bohr, rel=1e-9) == units.BOHR_TO_ANGSTROM
    assert pytest.approx(hartree, rel=1e-9) == units.HARTREE_TO_EV
