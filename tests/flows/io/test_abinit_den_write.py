"""Densities that ABINIT reads."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.abinit_den import AbinitDenFormat, read_abinit_den, read_abinit_netcdf
from scdp_flows.io.abinit_den_write import AbinitSpecies, overwrite_abinit_den, write_abinit_den

if TYPE_CHECKING:
    from pathlib import Path

SPECIES = [AbinitSpecies(8, 6.0), AbinitSpecies(1, 1.0)]


@pytest.mark.parametrize("spins", [1, 2])
def test_our_own_header_is_read(data: Path, tmp_path: Path, spins: int) -> None:
    density = read_abinit_den(data / "abinit" / "oh_DEN")
    if spins == 1:
        density = replace(density, magnetization=None)
    write_abinit_den(density, tmp_path / "x_DEN", SPECIES, 10.0)
    assert AbinitDenFormat().sniff((tmp_path / "x_DEN").read_bytes()[:64].decode("latin-1"))
    back = read_abinit_den(tmp_path / "x_DEN")
    np.testing.assert_allclose(back.values, density.values, rtol=1e-14)
    np.testing.assert_allclose(back.positions, density.positions, atol=1e-12)
    np.testing.assert_array_equal(back.numbers, density.numbers)
    if density.magnetization is not None:
        assert back.magnetization is not None
        np.testing.assert_allclose(back.magnetization, density.magnetization, atol=1e-12)


def test_an_element_without_pseudopotential_is_refused(data: Path, tmp_path: Path) -> None:
    density = read_abinit_den(data / "abinit" / "oh_DEN")
    with pytest.raises(DensityFormatError, match=r"\[1\] have no species"):
        write_abinit_den(density, tmp_path / "x_DEN", SPECIES[:1], 10.0)


def test_a_fortran_header_stays(data: Path, tmp_path: Path) -> None:
    template = data / "abinit" / "oh_DEN"
    density = read_abinit_den(template)
    overwrite_abinit_den(density, template, tmp_path / "same_DEN")
    old, new = template.read_bytes(), (tmp_path / "same_DEN").read_bytes()
    assert len(old) == len(new)
    header = len(old) - 2 * (8 + 8 * density.values.size)
    assert old[:header] == new[:header]
    turned = replace(density, values=density.values[::-1].copy())
    overwrite_abinit_den(turned, template, tmp_path / "x_DEN")
    np.testing.assert_allclose(
        read_abinit_den(tmp_path / "x_DEN").values, turned.values, rtol=1e-14
    )


def test_a_netcdf_header_stays(data: Path, tmp_path: Path) -> None:
    template = tmp_path / "oh_DEN.nc"
    template.write_bytes(gzip.decompress((data / "abinit" / "oh_DEN.nc.gz").read_bytes()))
    density = read_abinit_netcdf(template)
    turned = replace(density, values=density.values[::-1].copy())
    overwrite_abinit_den(turned, template, tmp_path / "x_DEN.nc")
    back = read_abinit_netcdf(tmp_path / "x_DEN.nc")
    np.testing.assert_allclose(back.values, turned.values, rtol=1e-14)
    assert back.magnetization is not None
    assert density.magnetization is not None
    np.testing.assert_allclose(back.magnetization, density.magnetization, atol=1e-12)


@pytest.mark.parametrize("name", ["oh_DEN", "oh_DEN.nc.gz"])
def test_another_grid_is_refused(data: Path, tmp_path: Path, name: str) -> None:
    density = read_abinit_den(data / "abinit" / "oh_DEN")
    smaller = replace(density, values=density.values[1:], magnetization=None)
    with pytest.raises(DensityFormatError, match="render on the grid of the header"):
        overwrite_abinit_den(smaller, data / "abinit" / name, tmp_path / "x")
