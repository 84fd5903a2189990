from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows import plugins
from scdp_flows.errors import DensityFormatError, UnknownNameError
from scdp_flows.io.base import read_density, sniff, write_density

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.density import ChargeDensity


class _ReadOnly:
    """A reader whose format cannot be written."""

    def sniff(self, head: str) -> bool:
        return head.startswith("read only")


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("vasp/Fe_bcc_CHGCAR_spin.gz", "chgcar"),
        ("malformed/CHGCAR_water_3x3x2", "chgcar"),
        ("cube/cp2k_Cr4O5_elec.cube.gz", "cube"),
    ],
)
def test_the_content_tells_the_format(name: str, format_name: str, data: Path) -> None:
    assert sniff(data / name) == format_name


@pytest.mark.parametrize("name", ["CHGCAR_empty", "CHGCAR_placeholder_70B", "../README.md"])
def test_what_is_no_density_is_refused(name: str, data: Path) -> None:
    with pytest.raises(DensityFormatError, match="expected one of the formats"):
        read_density(data / "malformed" / name)


@pytest.mark.parametrize("name", ["CHGCAR", "CHGCAR.gz", "rho.cube", "rho.cube.xz", "a.vasp.bz2"])
def test_the_name_tells_how_to_write(
    name: str, molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_density(molecule_density, tmp_path / name)
    copy = read_density(tmp_path / name)
    assert copy.nmae(molecule_density) < 1e-3
    assert sniff(tmp_path / name) == ("cube" if "cube" in name else "chgcar")


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_need_no_suffix(
    compress: Callable[[bytes], bytes], molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_density(molecule_density, tmp_path / "rho.cube")
    (tmp_path / "odd").write_bytes(compress((tmp_path / "rho.cube").read_bytes()))
    assert np.array_equal(
        read_density(tmp_path / "odd").values, read_density(tmp_path / "rho.cube").values
    )


def test_an_explicit_format_overrides_the_name(
    molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_density(molecule_density, tmp_path / "LOCPOT", format="chgcar")
    with pytest.raises(DensityFormatError, match="by its name, this is a potential"):
        read_density(tmp_path / "LOCPOT")
    assert read_density(tmp_path / "LOCPOT", format="chgcar").integral() == pytest.approx(4.0)


def test_names_without_format_are_refused(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="the name tells no format"):
        write_density(molecule_density, tmp_path / "rho.dat")
    assert not list(tmp_path.glob("*rho*"))


def test_unknown_formats_list_the_known(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="reader 'wavecar'"):
        read_density(tmp_path / "x", format="wavecar")
    with pytest.raises(UnknownNameError, match=r"reader 'chgcra'.*: chgcar"):
        write_density(molecule_density, tmp_path / "x", format="chgcra")


def test_formats_that_can_only_be_read(
    molecule_density: ChargeDensity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {**plugins._BUILT_IN["readers"], "aaa": f"{__name__}:_ReadOnly"}
    monkeypatch.setattr(plugins, "_targets", lambda _group: names)
    monkeypatch.setattr("scdp_flows.io.base.resolve", lambda _group, _name: _ReadOnly)
    with pytest.raises(DensityFormatError, match="aaa tells no format"):
        write_density(molecule_density, tmp_path / "x", format="aaa")


def test_a_write_that_fails_leaves_nothing(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-folder"):
        write_density(molecule_density, tmp_path / "no-folder" / "CHGCAR")
    assert not (tmp_path / "no-folder").exists()


def test_paths_may_be_strings(data: Path) -> None:
    assert read_density(str(data / "malformed" / "CHGCAR_water_3x3x2")).shape == (3, 3, 2)
    assert isinstance(data, Path)
