"""Restarting from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.cli import seed as module

if TYPE_CHECKING:
    from pathlib import Path


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
