"""Classic netCDF files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scipy.io import netcdf_file

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.netcdf3 import open_netcdf3

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file with one variable."""
    with netcdf_file(tmp_path / "x.nc", "w") as opened:
        opened.createDimension("n", 3)
        opened.createVariable("a", "f8", ("n",))[:] = [1.0, 2.0, 3.0]
    return tmp_path / "x.nc"


def test_variables_by_name(file: Path) -> None:
    with open_netcdf3(file) as opened:
        assert "a" in opened
        assert opened.array("a").tolist() == [1.0, 2.0, 3.0]
        with pytest.raises(DensityFormatError, match=r"x\.nc, b: is missing"):
            opened.array("b")


@pytest.mark.parametrize("keep", [3, 20, 60])
def test_cut_files_are_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DensityFormatError, match=r"x\.nc"), open_netcdf3(file) as opened:
        opened.array("a")
