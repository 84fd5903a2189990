"""Quantum ESPRESSO behind the interface of all codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.dft.base import DftCode
from scdp_flows.dft.espresso import EspressoCode
from scdp_flows.errors import SettingsError
from scdp_flows.plugins import resolve
from scdp_models.basis.library import crystal_basis

if TYPE_CHECKING:
    from pymatgen.core import Molecule, Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_survives_json(toy: EspressoSettings) -> None:
    code = EspressoCode(toy, seed_diago_thr_init=None)
    decoded = MontyDecoder().decode(json.dumps(code, cls=MontyEncoder))
    assert decoded == code
    assert isinstance(decoded, DftCode)
    assert decoded.settings_hash() == code.settings_hash() == toy.settings_hash()
    assert decoded.kind() == toy.kind()
    assert resolve("dft", "espresso") is EspressoCode


def test_given_atoms_win_over_those_of_the_files(toy: EspressoSettings) -> None:
    own = EspressoCode(toy).atomic_reference([14])
    renamed = {**own.to_dict(), "name": "mine"}
    assert EspressoCode(toy, reference=renamed).atomic_reference([14]).name == "mine"


def test_densities_for_each_structure(silicon: Structure, toy: EspressoSettings) -> None:
    with pytest.raises(SettingsError, match="2 structures but 1 mappings"):
        list(EspressoCode(toy).compare_starts_many([silicon, silicon], [{}]))


def test_failures_come_as_outcomes(water: Molecule, toy: EspressoSettings) -> None:
    (outcome,) = EspressoCode(toy).label_many([water], n_processes=1)
    assert outcome.value is None
    assert "pw.x computes crystals" in str(outcome.error)


@pytest.mark.requires("espresso")
def test_labels_and_compares_a_batch(distorted: Structure, cheap: EspressoSettings) -> None:
    code = EspressoCode(cheap)
    (label,) = code.label_many([distorted], crystal_basis([14]), n_processes=1)
    assert label.value is not None
    assert label.value.fit is not None
    given = {"fit": label.value.fit.density}
    (outcome,) = code.compare_starts_many([distorted], [given], n_processes=1)
    assert outcome.value is not None
    assert [start.start for start in outcome.value] == ["default", "fit", "exact"]
    default, fit, _ = outcome.value
    assert fit.seed_used
    assert fit.iterations < default.iterations
