"""openPMD meshes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import h5py
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.openpmd import read_openpmd

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(data: Path, tmp_path: Path) -> Path:
    """Give a copy of the real file and its structure."""
    for name in ("Be2.dens.h5", "Be2.xyz"):
        shutil.copy(data / "openpmd" / name, tmp_path)
    return tmp_path / "Be2.dens.h5"


def test_beryllium(file: Path) -> None:
    density = read_openpmd(file)
    assert density.integral() == pytest.approx(4.0, abs=1e-4)
    assert density.pbc == (True, True, True)


def test_the_structure_is_asked_for(file: Path) -> None:
    file.with_name("Be2.xyz").unlink()
    with pytest.raises(DensityFormatError, match="no structure stands beside it"):
        read_openpmd(file)


def test_other_units_and_meshes_are_refused(file: Path) -> None:
    with h5py.File(file, "r+") as root:
        root["data/0/meshes/Density"].attrs["unitDimension"] = [2.0] * 7
    with pytest.raises(DensityFormatError, match="not in electrons per volume"):
        read_openpmd(file)
    with h5py.File(file, "r+") as root:
        root.move("data/0/meshes/Density", "data/0/meshes/LDOS")
    with pytest.raises(DensityFormatError, match=r"holds the meshes \['LDOS'\]"):
        read_openpmd(file)
