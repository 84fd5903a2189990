from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.io.vasp import Chgcar

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.chgcar import ChgcarFormat, read_chgcar, write_chgcar

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity


def test_a_real_file_of_one_spin(data: Path) -> None:
    density = read_chgcar(data / "vasp" / "Fe2_cubic_CHGCAR.gz")
    assert density.integral() == pytest.approx(16.0, abs=1e-4)
    assert density.numbers.tolist() == [26, 26]
    assert density.shape == (28, 28, 28)
    assert density.pbc == (True, True, True)
    assert density.magnetization is None
    assert np.allclose(density.positions[1], 1.4)


def test_a_real_file_of_two_spins(data: Path) -> None:
    density = read_chgcar(data / "vasp" / "Fe_bcc_CHGCAR_spin.gz")
    assert density.integral() == pytest.approx(8.0, abs=1e-4)
    assert density.magnetization is not None
    moment = density.magnetization.sum() * density.voxel_volume
    assert moment == pytest.approx(2.273, abs=1e-3)


def test_values_equal_those_of_pymatgen(data: Path) -> None:
    path = data / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    ours, theirs = read_chgcar(path), Chgcar.from_file(str(path))
    assert np.allclose(ours.values * ours.volume, theirs.data["total"], rtol=1e-12)
    assert ours.magnetization is not None
    assert np.allclose(ours.magnetization * ours.volume, theirs.data["diff"], rtol=1e-12)


def test_a_density_peaks_at_its_nuclei(data: Path) -> None:
    # Wrong index order or a shifted grid would move the maximum.
    density = read_chgcar(data / "vasp" / "Fe2_cubic_CHGCAR.gz")
    shells = density.values[:4, :4, :4].max()
    assert density.values[14:18, 14:18, 14:18].max() == pytest.approx(shells, rel=1e-6)


def test_species_with_a_slash_are_read(data: Path) -> None:
    density = read_chgcar(data / "malformed" / "CHGCAR_slash.gz")
    assert density.numbers.tolist() == [26]
    assert density.integral() == pytest.approx(8.0, abs=1e-4)


def test_occupancies_and_moments_are_written_back_unchanged(data: Path, tmp_path: Path) -> None:
    path = data / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    write_chgcar(read_chgcar(path), tmp_path / "CHGCAR")
    original = gzip.decompress(path.read_bytes()).decode().splitlines()
    written = (tmp_path / "CHGCAR").read_text().splitlines()
    # The line of moments between the spins, which VASP needs, is among them.
    assert len(written) == len(original)
    start = original.index(next(line for line in original if line.startswith("augmentation")))
    end = next(n for n in range(start, len(original)) if original[n].split() == ["28"] * 3)
    assert written[start:end] == original[start:end]


def test_a_molecule_moves_into_its_box(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    write_chgcar(molecule_density, tmp_path / "CHGCAR")
    copy = read_chgcar(tmp_path / "CHGCAR")
    assert copy.pbc == (False, False, False)
    assert np.allclose(copy.origin, 0.0)
    expected = molecule_density.positions - molecule_density.origin
    assert np.allclose(copy.positions, expected, atol=1e-12)
    assert np.allclose(copy.values, molecule_density.values, rtol=1e-11)
    # Another program finds nuclei and density in the same places.
    theirs = Chgcar.from_file(str(tmp_path / "CHGCAR"))
    assert np.allclose(theirs.structure.cart_coords, expected, atol=1e-6)
    assert theirs.data["total"].sum() / theirs.ngridpts == pytest.approx(4.0, abs=1e-6)


def test_blank_text_after_a_grid_is_no_augmentation(
    molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_chgcar(replace(molecule_density, augmentation=("\n",)), tmp_path / "CHGCAR")
    assert read_chgcar(tmp_path / "CHGCAR").augmentation is None


def test_non_collinear_files_are_refused(data: Path) -> None:
    with pytest.raises(DensityFormatError, match="non-collinear"):
        read_chgcar(data / "malformed" / "CHGCAR_ncl_dummy")


def _text(augmentation: str) -> str:
    header = "c\n1.0\n2 0 0\n0 2 0\n0 0 2\nH\n2\nDirect\n0 0 0\n.5 .5 .5\n\n 2 2 1\n"
    return f"{header} 1.0 2.0 3.0 4.0\n{augmentation}"


def test_complete_occupancies_are_accepted(tmp_path: Path) -> None:
    text = "augmentation occupancies 1 2\n 1 2\naugmentation occupancies 2 3\n 1 2\n 3\n"
    (tmp_path / "CHGCAR").write_text(_text(text))
    assert read_chgcar(tmp_path / "CHGCAR").augmentation == (text,)


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ("augmentation occupancies 1 3\n 1.0 2.0\n", "1 numbers too few"),
        ("augmentation occupancies 1 3\n 1 2\naugmentation occupancies 2 1\n 1\n", "1 .* too few"),
        ("augmentation occupancies 1 1\n 1.0 2.0\n", "1 numbers too many"),
        ("augmentation occupancies 1 1\n 1.0 2.0\n 2 2 1\n 1 2 3 4\n", "1 numbers too many"),
        ("augmentation occupancies 1 1\n 1.0\n 0.5 0.5\n", "2 numbers after the last grid"),
        (" 2 2 1\n 1.0 2.0\n", r"magnetisation grid\): 2 of 4 values"),
    ],
)
def test_incomplete_files_are_refused(augmentation: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_text(_text(augmentation))
    with pytest.raises(DensityFormatError, match=message):
        read_chgcar(tmp_path / "CHGCAR")


def test_a_structure_without_grid_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(_text("").partition("\n\n")[0] + "\n")
    with pytest.raises(DensityFormatError, match=r"grid shape\): the file ends before it"):
        read_chgcar(tmp_path / "POSCAR")
    (tmp_path / "POSCAR").write_text(_text("").replace(" 2 2 1", "0.0 0.0 0.0"))
    with pytest.raises(DensityFormatError, match="a structure without a grid"):
        read_chgcar(tmp_path / "POSCAR")


@pytest.mark.parametrize(
    "name", ["CHGCAR", "CHGCAR.relax1", "AECCAR0", "x.chgcar", "CHG_1", "PARCHG"]
)
def test_names_of_vasp_are_claimed(name: str) -> None:
    assert ChgcarFormat().claims(name)
    assert not ChgcarFormat().claims(f"rho_{name.replace('.', '_')}.cube")
