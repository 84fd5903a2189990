"""Restarting from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.cli import seed as module

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.abinit import AbinitSettings


_GTH = """gth-pbe H q1
1 1 0  zatom,zion,pspdat
10 11 0 0 2001 0  pspcod,pspxc,lmax,lloc,mmax,r2well
0.2 2 -4.17890044 0.72446331
0
"""


@pytest.fixture(autouse=True)
def _free_code(monkeypatch: pytest.MonkeyPatch, gaussian_code: Any) -> None:
    monkeypatch.setattr(module, "PyscfCode", lambda *_: gaussian_code)


def test_iterations_of_all_starts_are_shown(
    scdp: Any, water_file: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    result = scdp("seed", water_file, "-m", tiny_checkpoint, "--store", tmp_path / "s")
    assert result.exit_code == 0, result.stderr
    assert "restarts of 1 structures" in result.stdout
    for start in ("default", "atomic", "tiny", "exact"):
        assert start in result.stdout


def test_nothing_to_restart_is_an_error(scdp: Any, tiny_checkpoint: Path, tmp_path: Path) -> None:
    result = scdp("seed", "-m", tiny_checkpoint, "--store", tmp_path / "s")
    assert result.exit_code == 2
    assert "nothing to restart" in result.stderr


def test_a_sample_can_be_audited(
    scdp: Any, water_file: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    where = ("--store", tmp_path / "s", "--set", "basis=gth-dzvp")
    result = scdp("seed", water_file, "-m", tiny_checkpoint, "--set", "audit_fraction=0", *where)
    assert result.exit_code == 0, result.stderr
    assert "tiny" in result.stdout
    assert "default" not in result.stdout


def test_what_was_saved_can_be_reported_at_once(
    scdp: Any, water_file: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    where = ("--store", tmp_path / "s")
    assert scdp("seed", water_file, "-m", tiny_checkpoint, *where).exit_code == 0
    named = scdp("seed", water_file, "-m", tiny_checkpoint, *where, "--set", "title=my water")
    assert named.exit_code == 0, named.stderr
    result = scdp("report", "seeding", *where, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "pyscf: water" in result.stdout
    assert "my water" in result.stdout
    assert "(+30 %)" in result.stdout
    assert (tmp_path / "out" / "seeding.html").is_file()


def test_abinit_is_a_code_too(
    scdp: Any, water_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gaussian_code: Any
) -> None:
    result = scdp("seed", water_file, "--dft", "abinit")
    assert result.exit_code == 2
    assert "--dft abinit needs --set 'pseudopotentials=" in result.stderr
    (tmp_path / "H.gth").write_text(_GTH)
    seen: list[AbinitSettings] = []

    def code(settings: AbinitSettings) -> Any:
        seen.append(settings)
        return gaussian_code

    monkeypatch.setattr(module, "AbinitCode", code)
    given = {"pseudopotentials": '{"H": "H.gth"}', "pseudo_dir": tmp_path, "ecut_ha": 20}
    pairs = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    where = ("--store", tmp_path / "s", "--set", "kpoints=[2,2,2]")
    result = scdp("seed", water_file, "--dft", "abinit", *pairs, *where)
    assert result.exit_code == 0, result.stderr
    assert (seen[0].ecut_ha, seen[0].kpoints) == (20, (2, 2, 2))


def test_wrong_settings_of_a_code_are_explained(scdp: Any, water_file: Path) -> None:
    result = scdp("seed", water_file, "--dft", "espresso")
    assert result.exit_code == 2
    assert "needs --set 'pseudopotentials=" in result.stderr
    result = scdp("seed", water_file, "--dft", "pyscf-crystals", "--set", "kpoints=[0,1,1]")
    assert result.exit_code == 2
    assert "kpoints is (0, 1, 1)" in result.stderr
    result = scdp("seed", water_file, "--set", "bassis=gth-dzvp")
    assert result.exit_code == 2
    assert "unexpected keyword argument 'bassis'" in result.stderr
