"""Settings refuse what cannot be, and say which density they produce."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings
from scdp_flows.errors import SettingsError


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kpoints", (2, 0, 2)),
        ("kpoints", (2, 2)),
        ("ke_cutoff_ha", 0.0),
        ("sigma_ha", -1.0),
        ("smearing", "mv"),
        ("basis", ""),
    ],
)
def test_refuses(name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=name):
        PyscfCrystalSettings(**{name: value})


def test_crystals_and_molecules_of_one_basis_are_of_one_kind() -> None:
    settings = PyscfCrystalSettings(basis="gth-dzvp", kpoints=(2, 2, 2))
    assert settings.kind().key() == PyscfSettings(basis="gth-dzvp").kind().key()


def test_the_hash_is_that_of_the_physics() -> None:
    settings = PyscfCrystalSettings()
    assert replace(settings, max_memory_gb=1.0).settings_hash() == settings.settings_hash()
    assert replace(settings, kpoints=(2, 1, 1)).settings_hash() != settings.settings_hash()
