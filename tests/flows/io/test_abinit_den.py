"""ABINIT densities: both containers hold the same numbers, and what is no density is refused."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.abinit_den import AbinitDenFormat, read_abinit_den, read_abinit_netcdf

if TYPE_CHECKING:
    from pathlib import Path


def test_netcdf_and_fortran_agree(data: Path) -> None:
    fortran = read_abinit_den(data / "abinit" / "oh_DEN")
    netcdf = read_abinit_netcdf(data / "abinit" / "oh_DEN.nc.gz")
    assert np.array_equal(fortran.values, netcdf.values)
    assert fortran.magnetization is not None
    assert netcdf.magnetization is not None
    assert np.array_equal(fortran.magnetization, netcdf.magnetization)
    np.testing.assert_allclose(fortran.positions, [[0.9, 1.3, 0.7], [1.2, 1.7, 1.55]], atol=1e-6)
    np.testing.assert_allclose(fortran.positions, netcdf.positions, atol=1e-9)


def _classic(source: Path, target: Path, **changes: object) -> Path:
    """Write the variables of a netCDF-4 file as a classic one."""
    import h5py
    from scipy.io import netcdf_file

    with h5py.File(gzip.open(source)) as old, netcdf_file(target, "w") as new:
        for name in ("density", "primitive_vectors", "reduced_atom_positions", "nelect",
                     "atom_species", "atomic_numbers"):  # fmt: skip
            array = np.asarray(changes.get(name, old[name][()]))
            for axis, size in enumerate(array.shape):
                new.createDimension(f"{name}_{axis}", size)
            dimensions = tuple(f"{name}_{axis}" for axis in range(array.ndim))
            new.createVariable(name, array.dtype, dimensions)[...] = array
    return target


def test_classic_netcdf_is_read(data: Path, tmp_path: Path) -> None:
    source = data / "abinit" / "oh_DEN.nc.gz"
    density = read_abinit_netcdf(_classic(source, tmp_path / "x_DEN.nc"))
    assert np.array_equal(density.values, read_abinit_netcdf(source).values)


def test_another_number_of_electrons_is_refused(data: Path, tmp_path: Path) -> None:
    file = _classic(data / "abinit" / "oh_DEN.nc.gz", tmp_path / "x_DEN.nc", nelect=8.0)
    with pytest.raises(DensityFormatError, match=r"7\.0000 electrons and the header says 8\.0000"):
        read_abinit_netcdf(file)


def test_non_collinear_densities_are_refused(data: Path, tmp_path: Path) -> None:
    four = np.full((4, 3, 3, 3, 1), 0.1)
    file = _classic(data / "abinit" / "oh_DEN.nc.gz", tmp_path / "x.nc", density=four)
    with pytest.raises(DensityFormatError, match="non-collinear"):
        read_abinit_netcdf(file)


def test_potentials_are_refused(data: Path, tmp_path: Path) -> None:
    content = bytearray((data / "abinit" / "oh_DEN").read_bytes())
    content[16:20] = (102).to_bytes(4, "little")
    (tmp_path / "oh_POT").write_bytes(content)
    assert AbinitDenFormat().sniff(content[:100].decode("latin-1"))
    with pytest.raises(DensityFormatError, match="quantity 102 is no density"):
        read_abinit_den(tmp_path / "oh_POT")
