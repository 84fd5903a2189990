"""Labelling from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.cli.label import pyscf_code
from scdp_flows.dft.pyscf import PyscfSettings
from scdp_flows.dft.pyscf_crystals import PyscfCrystalSettings
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


@pytest.mark.requires("pyscf")
def test_crystals_are_labelled_with_k_points(scdp: Any, tmp_path: Path) -> None:
    half = 5.43 / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    silicon = Structure(lattice, ["Si", "Si"], [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]])
    silicon.to(str(tmp_path / "si.cif"))
    given = ["--dft", "basis=gth-szv", "--dft", "kpoints=[2,1,1]", "--dft", "ke_cutoff_ha=20"]
    result = scdp("label", tmp_path / "si.cif", "--store", tmp_path / "s", "-j", 1, *given)
    assert result.exit_code == 0, result.stderr
    with open_stores(tmp_path / "s") as stores:
        (doc,) = stores.densities.query()
    assert doc.fit is not None
    assert doc.fit.basis.startswith("crystal")
    assert doc.n_electrons == 8


def test_a_missing_file_is_named(scdp: Any, tmp_path: Path) -> None:
    result = scdp("label", tmp_path / "gone.xyz", "--store", tmp_path / "s")
    assert result.exit_code == 2
    assert "gone.xyz: no such file" in result.stderr
    assert not (tmp_path / "s").exists()


def test_settings_of_the_code_are_checked() -> None:
    assert pyscf_code(["spacing=0.2"]).settings == PyscfSettings(spacing=0.2)
    with pytest.raises(SettingsError, match=r"spcaing.*known:.*spacing"):
        pyscf_code(["spcaing=0.2"])
    crystals = pyscf_code(["kpoints=[2,2,2]"], crystals=True)
    assert crystals.settings == PyscfCrystalSettings(kpoints=(2, 2, 2))
    with pytest.raises(SettingsError, match=r"spacing.*known:.*ke_cutoff_ha"):
        pyscf_code(["spacing=0.2"], crystals=True)
