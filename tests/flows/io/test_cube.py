from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.io.common import VolumetricData

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.cube import CubeFormat, infer_pbc, open_cube_slabs, read_cube, write_cube
from scdp_flows.io.slabs import iter_slabs, slabs_of
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity

_HEADER = """comment
second
 1 0.0 0.0 0.0
 2 1.0 0.0 0.0
 1 0.0 1.0 0.0
 2 0.0 0.0 1.0
 1 1.0 0.5 0.5 0.5
"""
_VALUES = " 1.0 2.0\n 3.0 4.0\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "rho.cube"
    path.write_text(text)
    return path


def test_a_real_file_of_a_crystal(data: Path) -> None:
    density = read_cube(data / "cube" / "cp2k_Cr4O5_elec.cube.gz")
    assert density.shape == (23, 23, 24)
    assert density.numbers.tolist() == [24] * 4 + [8] * 5
    assert density.integral() == pytest.approx(89.2105, abs=1e-4)
    assert density.pbc == (True, True, True)
    assert density.positions[0] == pytest.approx(
        np.array([4.005773, 2.735684, -2.599429]) * BOHR_TO_ANGSTROM
    )


def test_lengths_are_bohr_and_densities_per_bohr_cubed(tmp_path: Path) -> None:
    density = read_cube(_file(tmp_path, _HEADER + _VALUES))
    assert np.allclose(density.cell, np.diag([2, 1, 2]) * BOHR_TO_ANGSTROM)
    assert np.allclose(density.positions, 0.5 * BOHR_TO_ANGSTROM)
    assert density.values[1, 0, 0] == pytest.approx(3.0 / BOHR_TO_ANGSTROM**3)
    # Electrons do not depend on the unit of length: four voxels of 1 bohr^3.
    assert density.integral() == pytest.approx(10.0)


def test_negative_voxel_counts_announce_angstrom(tmp_path: Path) -> None:
    text = _HEADER.replace(" 2 1.0", "-2 1.0").replace(" 1 0.0 1", "-1 0.0 1")
    density = read_cube(_file(tmp_path, text.replace(" 2 0.0", "-2 0.0") + _VALUES))
    assert np.allclose(density.cell, np.diag([2, 1, 2]))
    assert np.allclose(density.positions, 0.5)


def test_centres_without_nucleus_are_left_out(tmp_path: Path) -> None:
    text = _HEADER.replace("\n 1 0.0 0.0 0.0", "\n 2 0.0 0.0 0.0") + " 0 0.0 1.0 1.0 1.0\n"
    assert read_cube(_file(tmp_path, text + _VALUES)).numbers.tolist() == [1]


def test_a_molecule_keeps_its_origin(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    write_cube(molecule_density, tmp_path / "rho.cube")
    copy = read_cube(tmp_path / "rho.cube")
    assert copy.pbc == (False, False, False)
    assert np.allclose(copy.origin, molecule_density.origin, atol=1e-8)
    assert np.allclose(copy.positions, molecule_density.positions, atol=1e-8)
    assert np.allclose(copy.values, molecule_density.values, rtol=6e-6)
    assert copy.nmae(molecule_density) < 1e-3


def test_another_program_reads_what_is_written(
    molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_cube(molecule_density, tmp_path / "rho.cube")
    theirs = VolumetricData.from_cube(tmp_path / "rho.cube")
    assert [site.specie.symbol for site in theirs.structure] == ["O", "H"]
    assert theirs.data["total"].shape == molecule_density.shape
    values = theirs.data["total"] / BOHR_TO_ANGSTROM**3
    assert np.allclose(values, molecule_density.values, rtol=1e-4)


def test_slabs_are_written_and_read_like_the_whole(
    molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    write_cube(molecule_density, tmp_path / "whole.cube")
    slabs = iter_slabs(molecule_density.values, 0, voxels=2000)
    write_cube(replace(slabs_of(molecule_density, 0), grids=(slabs,)), tmp_path / "slabs.cube")
    assert (tmp_path / "slabs.cube").read_bytes() == (tmp_path / "whole.cube").read_bytes()
    with open_cube_slabs(tmp_path / "slabs.cube", pbc=(True, True, True), voxels=2000) as read:
        assert read.pbc == (False, False, False)
        parts = list(read.checked(0))
    assert len(parts) == 6
    assert np.allclose(np.concatenate(parts), molecule_density.values, rtol=6e-6)


def test_rows_of_voxels_begin_on_new_lines(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    write_cube(molecule_density, tmp_path / "rho.cube")
    rows = (tmp_path / "rho.cube").read_text().splitlines()[8:]
    assert len(rows) == 18 * 21 * 4
    assert {len(row) for row in rows} == {6 * 13}


def test_a_real_file_whose_origin_is_not_zero(data: Path) -> None:
    density = read_cube(data / "cube" / "psi4_NH3_Dt.cube.xz")
    assert density.integral() == pytest.approx(9.9735, abs=1e-4)
    assert density.origin == pytest.approx(
        np.array([-4.677267, -5.204252, -5.704211]) * BOHR_TO_ANGSTROM
    )
    assert density.pbc == (False, False, False)
    peak = density.coordinates()[np.unravel_index(density.values.argmax(), density.shape)]
    assert np.linalg.norm(peak - density.positions[0]) < density.spacing.max()


def test_lost_magnetisation_is_logged(
    molecule_density: ChargeDensity, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    polarised = replace(molecule_density, magnetization=molecule_density.values)
    with caplog.at_level(logging.INFO):
        write_cube(polarised, tmp_path / "rho.cube")
    assert "not the magnetisation" in caplog.text
    assert read_cube(tmp_path / "rho.cube").magnetization is None


def test_the_box_of_a_molecule_is_not_periodic(molecule_density: ChargeDensity) -> None:
    assert infer_pbc(molecule_density.values) == (False, False, False)


def test_a_slab_is_periodic_in_its_plane() -> None:
    profile = np.exp(-(np.linspace(-6, 6, 40) ** 2))
    values = np.ones((8, 8, 1)) * profile
    assert infer_pbc(values) == (True, True, False)


def test_the_caller_knows_better(tmp_path: Path) -> None:
    path = _file(tmp_path, _HEADER + _VALUES)
    assert read_cube(path).pbc == (True, True, True)
    assert read_cube(path, pbc=(False, False, True)).pbc == (False, False, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n 1 0.0 0.0 0.0", "\n-1 0.0 0.0 0.0", "orbitals or several quantities"),
        ("\n 1 0.0 0.0 0.0", "\n 1 0.0 0.0 0.0 2", "orbitals or several quantities"),
        ("\n 1 0.0 0.0 0.0", "\n 0 0.0 0.0 0.0", "expected a number of atoms"),
        ("\n 1 0.0 0.0 0.0", "\n H 0.0 0.0 0.0", "expected a number of atoms"),
        (" 2 1.0 0.0 0.0", " 0 1.0 0.0 0.0", r"line 6 \(grid axis\).*: the numbers of voxels"),
        (" 2 1.0 0.0 0.0", " 2.5 1.0 0.0 0.0", r"line 4 \(grid axis\)"),
        (" 2 1.0 0.0 0.0", " 2 0.0 0.0 1.0", "no volume"),
        (" 1 1.0 0.5 0.5 0.5", " 1 1.0 0.5 0.5", r"line 7 \(atom\)"),
        (" 1 1.0 0.5 0.5 0.5", " H 1.0 0.5 0.5 0.5", r"line 7 \(atom\)"),
        (" 1 1.0 0.5 0.5 0.5", " 119 1.0 0.5 0.5 0.5", "not atomic numbers"),
        (" 2 1.0 0.0 0.0", " 2 1e300 0.0 0.0", "expected an integer and 3 numbers"),
        ("\n 1 0.0 0.0 0.0", "\n 1 0.0 NaN 0.0", "expected a number of atoms"),
        (" 2 1.0 0.0 0.0", " 2 99.0 0.0 0.0", "voxels have the edges"),
        ("\n 1 0.0 0.0 0.0", "\n 9999999 0.0 0.0 0.0", "expected a number of atoms"),
        ("\n 1 0.0 0.0 0.0", "\n 1 0.0 0.0 0.0 -3", "orbitals or several quantities"),
        (" 2 1.0 0.0 0.0", " 999999 1.0 0.0 0.0", "4 of 1999998 values"),
        (" 3.0 4.0", " 3.0", "3 of 4 values"),
        (" 3.0 4.0", " 3.0 4.0\n 5.0", "follows the 4 values"),
        (" 3.0 4.0", " 3.0 *****", r"line 9 \(values\)"),
    ],
)
def test_wrong_files_are_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = _file(tmp_path, (_HEADER + _VALUES).replace(old, new, 1))
    with pytest.raises(DensityFormatError, match=message):
        read_cube(path)


@pytest.mark.parametrize("name", ["rho.cube", "RHO.CUBE", "x.cub"])
def test_cube_names_are_claimed(name: str) -> None:
    assert CubeFormat().claims(name)
    assert not CubeFormat().claims(f"{name}.npy")
