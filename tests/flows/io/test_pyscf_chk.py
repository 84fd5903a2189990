"""Checkpoint files of PySCF are evaluated without running what they hold."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.pyscf_chk import read_pyscf_grid, read_pyscf_points

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requires("pyscf")


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    """Give a copy of the checkpoint of water."""
    shutil.copy(data / "pyscf" / "water_gth.chk", tmp_path / "water.chk")
    return tmp_path / "water.chk"


def _edit(file: Path, **changes: Any) -> None:
    with h5py.File(file, "r+") as root:
        content = {**json.loads(root["mol"][()]), **changes}
        del root["mol"]
        root["mol"] = json.dumps(content)


def test_grid_and_points_hold_the_valence_electrons(file: Path) -> None:
    grid = read_pyscf_grid(file, spacing=0.3, padding=5.0)
    points = read_pyscf_points(file, level=1)
    assert grid.integral() == pytest.approx(8.0, abs=0.02)
    assert points.integral() == pytest.approx(8.0, abs=1e-3)
    np.testing.assert_allclose(grid.positions[1], [0, 0.76, -0.48], atol=1e-8)


def test_cores_need_points(tmp_path: Path) -> None:
    from pyscf import gto, scf

    molecule = gto.M(atom="Li 0 0 0", spin=1, basis="sto-3g", verbose=0)
    field = scf.UHF(molecule)
    field.chkfile = str(tmp_path / "li.chk")
    field.kernel()
    with pytest.raises(DensityFormatError, match="cores of the atoms"):
        read_pyscf_grid(tmp_path / "li.chk")
    assert read_pyscf_points(tmp_path / "li.chk").integral() == pytest.approx(3.0, abs=1e-3)


def test_open_shells_have_a_magnetization(tmp_path: Path) -> None:
    from pyscf import gto, scf

    molecule = gto.M(atom="H 0 0 0", spin=1, basis="sto-3g", verbose=0)
    field = scf.ROHF(molecule)
    field.chkfile = str(tmp_path / "h.chk")
    field.kernel()
    density = read_pyscf_grid(tmp_path / "h.chk", spacing=0.3)
    assert density.magnetization is not None
    np.testing.assert_allclose(density.magnetization, density.values)


def test_texts_in_the_file_are_not_run(file: Path, tmp_path: Path) -> None:
    _edit(file, atom=f"open({str(tmp_path / 'ran')!r}, 'w')", basis="exit()")
    assert read_pyscf_grid(file, spacing=0.4).numbers.tolist() == [8, 1, 1]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("field", "place", "value"),
    [("_bas", (0, 5), 10**6), ("_bas", (0, 0), 7), ("_bas", (1, 1), 99), ("_atm", (0, 1), -5)],
)
def test_tables_that_point_outside_are_refused(
    file: Path, field: str, place: tuple[int, int], value: int
) -> None:
    with h5py.File(file) as root:
        table = json.loads(root["mol"][()])[field]
    table[place[0]][place[1]] = value
    _edit(file, **{field: table})
    with pytest.raises(DensityFormatError, match="point outside themselves"):
        read_pyscf_grid(file)


def test_crystals_are_refused(file: Path) -> None:
    _edit(file, a=[[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(DensityFormatError, match="is a crystal"):
        read_pyscf_grid(file)


@pytest.mark.parametrize("value", [1e200, 1.3])
def test_orbitals_that_are_not_orthonormal_are_refused(file: Path, value: float) -> None:
    with h5py.File(file, "r+") as root:
        root["scf/mo_coeff"][0, 1] = value
    with pytest.raises(DensityFormatError, match="holds orbitals whose overlaps are wrong"):
        read_pyscf_grid(file)
