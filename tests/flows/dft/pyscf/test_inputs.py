"""Settings of PySCF."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import pytest

from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.errors import SettingsError


def test_survives_json() -> None:
    settings = PyscfSettings(basis="gth-tzv2p", grid_level=2)
    assert PyscfSettings.from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


def test_every_field_changes_the_hash() -> None:
    settings = PyscfSettings()
    other = {
        "functional": "BLYP",
        "pseudopotential": "gth-blyp",
        "basis": "gth-dzvp",
        "spin": "unrestricted",
    }
    hashes = {settings.settings_hash()}
    for field in fields(settings):
        old = getattr(settings, field.name)
        new = other[field.name] if isinstance(old, str) else 2 * old
        changed = {**asdict(settings), field.name: new}
        hashes.add(PyscfSettings(**changed).settings_hash())
    assert len(hashes) == len(fields(settings)) + 1


def test_kind_tells_basis_and_spin_but_not_grids() -> None:
    settings = PyscfSettings()
    assert replace(settings, spacing=0.1).kind() == settings.kind()
    assert replace(settings, basis="gth-dzvp").kind() != settings.kind()
    assert settings.kind().electrons == "valence"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("basis", ""),
        ("spin", "both"),
        ("spacing", 0.0),
        ("padding", -1.0),
        ("grid_level", 12),
        ("conv_tol_ha", float("nan")),
    ],
)
def test_refuses_impossible_values(field: str, value: object) -> None:
    with pytest.raises(SettingsError, match=field):
        PyscfSettings(**{field: value})  # type: ignore[arg-type]


def test_all_electrons_are_another_kind() -> None:
    kind = PyscfSettings(pseudopotential="none", basis="cc-pvdz").kind()
    assert (kind.electrons, kind.pseudopotential) == ("all", "none")
    assert PyscfSettings().kind().electrons == "valence"
