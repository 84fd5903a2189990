"""Settings of plane-wave codes, those of Quantum ESPRESSO for example."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scdp_flows.dft.espresso.inputs import EspressoSettings
from scdp_flows.errors import SettingsError


@pytest.mark.parametrize(
    "values",
    [
        {"max_cycle": 0},
        {"pseudopotentials": {}},
        {"spin": "both"},
        {"spin": "unrestricted"},
        {"kpoints": (1, 1)},
        {"kpoints": (0, 1, 1)},
        {"pseudopotentials": {"Si": "missing.UPF"}, "sha256": {}},
    ],
    ids=str,
)
def test_impossible_values_are_refused(toy: EspressoSettings, values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        replace(toy, **values)


def test_a_changed_file_is_noticed(toy: EspressoSettings) -> None:
    path = Path(toy.pseudo_dir) / "Si.toy.UPF"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(SettingsError, match="has SHA-256"):
        toy.kind()


def test_the_kind_names_files_and_functional(toy: EspressoSettings) -> None:
    kind = toy.kind()
    assert kind.functional == "PBE"
    assert kind.pseudopotential == f"Si.toy.UPF@{toy.sha256['Si'][:8]}"
    assert kind.basis == "pw-5Ry"


def test_where_files_lie_makes_no_difference(toy: EspressoSettings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.UPF").write_bytes((tmp_path / "Si.toy.UPF").read_bytes())
    moved = EspressoSettings(
        {"Si": "x.UPF"}, pseudo_dir=str(tmp_path / "elsewhere"), ecutwfc_ry=5.0, command="pw"
    )
    assert moved.settings_hash() == toy.settings_hash()
    assert replace(toy, conv_thr_ry=1e-6).settings_hash() != toy.settings_hash()


def test_files_must_fit_their_element_and_each_other(toy: EspressoSettings) -> None:
    wrong = EspressoSettings({"C": "Si.toy.UPF"}, pseudo_dir=toy.pseudo_dir)
    with pytest.raises(SettingsError, match="is for Si, not for C"):
        wrong.kind()
    with pytest.raises(SettingsError, match="no pseudopotential for O"):
        toy.pseudopotential("O")


def test_one_centred_k_point_means_real_orbitals(toy: EspressoSettings) -> None:
    assert toy.gamma_only
    assert not replace(toy, kshift=(1, 1, 1)).gamma_only
    assert replace(toy, spin="unrestricted", smearing="mv").n_spins == 2


def test_a_relative_folder_is_found_from_everywhere(
    toy: EspressoSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = replace(toy, pseudo_dir=".")
    (tmp_path / "job").mkdir()
    monkeypatch.chdir(tmp_path / "job")
    assert settings.pseudopotential("Si").n_electrons == toy.pseudopotential("Si").n_electrons
    assert settings.settings_hash() == toy.settings_hash()
