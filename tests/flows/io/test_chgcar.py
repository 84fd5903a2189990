from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from pymatgen.io.vasp import Chgcar

from scdp_flows.density import Augmentation, ChargeDensity
from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.base import sniff
from scdp_flows.io.chgcar import ChgcarFormat, open_chgcar_slabs, read_chgcar, write_chgcar
from scdp_flows.io.compression import open_text
from scdp_flows.io.kernels import compiled
from scdp_flows.io.slabs import DensitySlabs, iter_slabs, slabs_of

if TYPE_CHECKING:
    from pathlib import Path


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


_VASP_FILES = {
    "Fe_bcc_CHGCAR_spin.gz": 2,
    "LiH_CHGCAR_spin.xz": 2,
    "Fe2_cubic_CHGCAR.gz": 1,
    "Si2_24_CHGCAR.gz": 1,
    "AECCAR0_H2O.gz": 0,
    "CHG_Si.gz": 0,
}


def _rows(path: Path) -> list[list[str]]:
    """Give the lines of a file from the third on, cut at blanks in the header."""
    with open_text(path) as stream:
        rows = [line.rstrip() for line in stream]
    start = next(n for n, row in enumerate(rows) if not row)
    return [row.split() for row in rows[2:start]] + [[row] for row in rows[start:]]


@pytest.mark.parametrize("name", _VASP_FILES)
def test_what_vasp_wrote_is_written_back_line_by_line(
    name: str, data: Path, tmp_path: Path
) -> None:
    density = read_chgcar(data / "vasp" / name)
    assert len(density.augmentation or ()) == _VASP_FILES[name]
    style: Literal["CHG", "CHGCAR"] = "CHG" if name.startswith("CHG_") else "CHGCAR"
    copy = ChargeDensity.from_arrays(density.to_arrays())  # also after a stay in a store
    write_chgcar(copy, tmp_path / "copy", style=style)
    assert _rows(tmp_path / "copy") == _rows(data / "vasp" / name)


def test_another_program_reads_occupancies_that_we_wrote(data: Path, tmp_path: Path) -> None:
    path = data / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    write_chgcar(read_chgcar(path), tmp_path / "CHGCAR")
    original, theirs = Chgcar.from_file(str(path)), Chgcar.from_file(str(tmp_path / "CHGCAR"))
    for channel in ("total", "diff"):
        assert np.array_equal(theirs.data_aug[channel][1], original.data_aug[channel][1])
        assert np.array_equal(theirs.data[channel], original.data[channel])


@pytest.fixture
def non_collinear(molecule_density: ChargeDensity) -> ChargeDensity:
    """Give a density of four grids with occupancies after each."""
    vector = np.stack([factor * molecule_density.values for factor in (0.1, -0.2, 0.3)])
    kept = [Augmentation.from_records([[float(n), 0.5], [0.25]]) for n in range(4)]
    return replace(molecule_density, magnetization_vector=vector, augmentation=tuple(kept))


def test_non_collinear_densities_have_four_grids(
    non_collinear: ChargeDensity, tmp_path: Path
) -> None:
    write_chgcar(non_collinear, tmp_path / "CHGCAR")
    copy = read_chgcar(tmp_path / "CHGCAR")
    assert copy.magnetization is None
    assert copy.magnetization_vector is not None
    assert non_collinear.magnetization_vector is not None
    assert np.allclose(copy.magnetization_vector, non_collinear.magnetization_vector, rtol=1e-10)
    assert copy.augmentation is not None
    assert [each.occupancies[0] for each in copy.augmentation] == [0.0, 1.0, 2.0, 3.0]
    theirs = Chgcar.from_file(str(tmp_path / "CHGCAR"))
    assert np.allclose(theirs.data["diff_z"] / copy.volume, copy.magnetization_vector[2])


@pytest.mark.parametrize(("n_grids", "message"), [(3, "3 grids, expected"), (5, "more than 4")])
def test_other_numbers_of_grids_are_refused(n_grids: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_text(_text(" 2 2 1\n 1.0 2.0 3.0 4.0\n" * (n_grids - 1)))
    with pytest.raises(DensityFormatError, match=message):
        read_chgcar(tmp_path / "CHGCAR")


def test_occupancies_of_one_grid_of_two_are_refused(tmp_path: Path) -> None:
    one = "augmentation occupancies 1 1\n 1\naugmentation occupancies 2 1\n 1\n"
    (tmp_path / "CHGCAR").write_text(_text(f"{one} 2 2 1\n 1.0 2.0 3.0 4.0\n"))
    with pytest.raises(DensityFormatError, match=r"occupancies of \[2, 0\] atoms"):
        read_chgcar(tmp_path / "CHGCAR")


def test_the_elements_of_old_files_are_given(tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_text(_text("").replace("\nH\n", "\n"))
    with pytest.raises(DensityFormatError, match="VASP 4 wrote no elements"):
        read_chgcar(tmp_path / "CHGCAR")
    assert read_chgcar(tmp_path / "CHGCAR", species=["He"]).numbers.tolist() == [2, 2]


def test_slabs_are_written_and_read_like_the_whole(
    molecule_density: ChargeDensity, tmp_path: Path
) -> None:
    polarised = replace(molecule_density, magnetization=0.5 * molecule_density.values)
    write_chgcar(polarised, tmp_path / "whole")
    slabs = slabs_of(polarised, 2)
    both = (polarised.values, 0.5 * polarised.values)
    grids = tuple(iter_slabs(grid, 2, voxels=2000) for grid in both)
    write_chgcar(replace(slabs, grids=grids), tmp_path / "slabs")
    assert (tmp_path / "slabs").read_bytes() == (tmp_path / "whole").read_bytes()
    for grid, expected in enumerate(both):
        with open_chgcar_slabs(tmp_path / "slabs", grid=grid, voxels=2000) as read:
            parts = list(read.checked(0))
        assert len(parts) > 4
        assert np.allclose(np.concatenate(parts, axis=2), expected, rtol=1e-10)
    with (
        pytest.raises(DensityFormatError, match="ask for a grid that is there"),
        open_chgcar_slabs(tmp_path / "slabs", grid=2),
    ):
        pass


def test_wrong_slabs_leave_no_file(molecule_density: ChargeDensity, tmp_path: Path) -> None:
    slabs = replace(slabs_of(molecule_density, 2), grids=([molecule_density.values[:, :, :5]],))
    with pytest.raises(DensityError, match="the slabs end after 5 of 24 layers"):
        write_chgcar(slabs, tmp_path / "CHGCAR")
    assert not list(tmp_path.glob("*CHGCAR*"))


def _stream(path: Path, n: int) -> float:
    """Write and read a grid in slabs of eight layers; return the sum of its values."""
    grid = (np.full((n, n, 8), 1.0 + start) for start in range(0, n, 8))
    atoms = np.array([1]), np.zeros((1, 3))
    slabs = DensitySlabs((grid,), (n, n, n), 2, 8 * np.eye(3), np.zeros(3), *atoms)
    write_chgcar(slabs, path)
    with open_chgcar_slabs(path, voxels=8 * n * n) as read:
        return sum(float(slab.sum()) for slab in read.checked(0))


@pytest.mark.slow
def test_no_more_than_slabs_are_in_memory(tmp_path: Path) -> None:
    compiled()
    _stream(tmp_path / "CHGCAR", 32)  # loads the kernels
    n = 160
    tracemalloc.start()
    total = _stream(tmp_path / "CHGCAR", n)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == pytest.approx(n * n * 8 * sum(range(1, n, 8)), rel=1e-9)
    assert peak < 8 * n**3 / 3  # the whole grid takes three times as much


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


def test_blank_text_after_a_grid_is_no_augmentation(tmp_path: Path) -> None:
    (tmp_path / "CHGCAR").write_text(_text(" \n\n"))
    assert read_chgcar(tmp_path / "CHGCAR").augmentation is None


def test_a_dummy_of_a_non_collinear_file_is_refused(data: Path) -> None:
    with pytest.raises(DensityFormatError, match=r"line 24 .*expected the numbers of an atom"):
        read_chgcar(data / "malformed" / "CHGCAR_ncl_dummy")


def _text(augmentation: str) -> str:
    header = "c\n1.0\n2 0 0\n0 2 0\n0 0 2\nH\n2\nDirect\n0 0 0\n.5 .5 .5\n\n 2 2 1\n"
    return f"{header} 1.0 2.0 3.0 4.0\n{augmentation}"


def test_a_structure_without_grid_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(_text("").partition("\n\n")[0] + "\n")
    with pytest.raises(DensityFormatError, match=r"grid shape\).*: the file ends before it"):
        read_chgcar(tmp_path / "POSCAR")
    (tmp_path / "POSCAR").write_text(_text("").replace(" 2 2 1", "0.0 0.0 0.0"))
    with pytest.raises(DensityFormatError, match="a structure without a grid"):
        read_chgcar(tmp_path / "POSCAR")


def test_digits_without_end_are_soon_found_to_be_no_head(tmp_path: Path) -> None:
    # A file that lost part of its head: every way to part these digits into numbers was tried.
    head = "lost\n 1.00000000000000\n 4.000000 0.000000 0.000000\n"
    head += " 0.7000028913313E+00 0.17759998433E+01\n"
    numbers = " 0.41145759287E+01 0.84738951341E+01 0.15482027737E+02 0.25088249135E+02\n"
    (tmp_path / "CHGCAR").write_text(head + 60 * numbers)
    start = time.process_time()
    with pytest.raises(DensityFormatError, match=r"CHGCAR: the file begins with"):
        sniff(tmp_path / "CHGCAR")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "name", ["CHGCAR", "CHGCAR.relax1", "AECCAR0", "x.chgcar", "CHG_1", "PARCHG"]
)
def test_names_of_vasp_are_claimed(name: str) -> None:
    assert ChgcarFormat().claims(name)
    assert not ChgcarFormat().claims(f"rho_{name.replace('.', '_')}.cube")
