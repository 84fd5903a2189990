"""What all plane-wave codes do alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.espresso import EspressoCode
from scdp_flows.errors import SettingsError
from scdp_models.basis.library import crystal_basis

if TYPE_CHECKING:
    from pymatgen.core import Molecule, Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


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


def test_labels_that_no_model_can_learn_are_announced(
    silicon: Structure,
    toy: EspressoSettings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EspressoCode, "label_crystal", lambda *_: None)
    settings = replace(toy, kpoints=(4, 4, 4), kshift=(1, 1, 1))
    EspressoCode(settings).label(silicon.get_primitive_structure(), crystal_basis([14]))
    assert "lack the symmetry of the lattice" in caplog.text
