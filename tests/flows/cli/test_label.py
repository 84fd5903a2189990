"""Labelling from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.cli.label import pyscf_code
from scdp_flows.errors import SettingsError
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

_CHEAP = ["--dft", "basis=gth-szv", "--dft", "spacing=0.3", "--dft", "charge_tolerance=0.1"]


@pytest.mark.requires("pyscf")
def test_molecules_are_labelled_once(scdp: Any, tmp_path: Path) -> None:
    (tmp_path / "h2.xyz").write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    arguments = ["label", tmp_path / "h2.xyz", "--store", tmp_path / "s", "-j", 1, "--tag", "mine"]
    first = scdp(*arguments, *_CHEAP)
    assert first.exit_code == 0, first.stderr
    second = scdp(*arguments, *_CHEAP)
    assert second.exit_code == 0
    with open_stores(tmp_path / "s") as stores:
        (doc,) = stores.densities.query({"tags": "mine"})
    assert doc.kind["basis"] == "gth-szv"


@pytest.mark.requires("pyscf")
def test_bad_molecules_are_one_red_line(scdp: Any, tmp_path: Path) -> None:
    (tmp_path / "oh.xyz").write_text("2\n\nO 0 0 0\nH 0 0 0.97\n")
    result = scdp("label", tmp_path / "oh.xyz", "--store", tmp_path / "s")
    assert result.exit_code == 2
    assert "error: " in result.stderr
    assert "even number" in result.stderr


def test_a_missing_file_is_named(scdp: Any, tmp_path: Path) -> None:
    result = scdp("label", tmp_path / "gone.xyz", "--store", tmp_path / "s")
    assert result.exit_code == 2
    assert "gone.xyz: no such file" in result.stderr
    assert not (tmp_path / "s").exists()


def test_settings_of_the_code_are_checked() -> None:
    assert pyscf_code(["spacing=0.2"]).settings.spacing == 0.2
    with pytest.raises(SettingsError, match=r"spcaing.*known:.*spacing"):
        pyscf_code(["spcaing=0.2"])
