from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import DummySpecies
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError
from scdp_flows.io.structures import (
    check_closed_shell,
    check_structure,
    read_structures,
)

if TYPE_CHECKING:
    from pathlib import Path

_WATER = Molecule("OHH", [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]])
_SILICON = Structure(
    Lattice([[0, 2.73, 2.73], [2.73, 0, 2.73], [2.73, 2.73, 0]]),
    ["Si", "Si"],
    [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]],
)
_FRAMES = "".join(f"1\nid={i}\nHe 0 0 {i}\n" for i in range(5))


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Give a compressed file of five frames."""
    path = tmp_path / "frames.xyz.gz"
    path.write_bytes(gzip.compress(_FRAMES.encode()))
    return path


def test_all_frames_are_read(frames: Path) -> None:
    assert [frame.properties["id"] for frame in read_structures(frames)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0, [0]), (-1, [4]), (3, [3]), (slice(1, 4, 2), [1, 3]), (slice(-2, None), [3, 4])],
)
def test_frames_are_chosen(index: int | slice, expected: list[int], frames: Path) -> None:
    chosen = read_structures(frames, index=index)
    assert [frame.properties["id"] for frame in chosen] == expected


def test_absent_frames_are_refused(frames: Path) -> None:
    with pytest.raises(StructureError, match="holds 5 structures, none at 5"):
        read_structures(frames, index=5)


@pytest.mark.parametrize("name", ["si.cif", "POSCAR", "POSCAR.gz", "si.json"])
def test_crystals_are_read_by_pymatgen(name: str, tmp_path: Path) -> None:
    _SILICON.to(filename=str(tmp_path / name))
    (crystal,) = read_structures(tmp_path / name)
    assert isinstance(crystal, Structure)
    assert crystal.matches(_SILICON)


def test_molecules_are_read_by_pymatgen(tmp_path: Path) -> None:
    _WATER.to(filename=str(tmp_path / "water.json"))
    (molecule,) = read_structures(tmp_path / "water.json")
    assert molecule == _WATER


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xyz", b"", "holds no structure"),
        ("a.xyz", b"\x1f\x8b\x08 broken", "cannot be read"),
        ("a.cif", b"nonsense", "no structure could be read"),
        ("POSCAR", b"", "no structure could be read"),
        ("a.unknown", b"H 0 0 0", "use xyz, extended xyz, CIF or POSCAR"),
    ],
)
def test_wrong_files_are_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StructureError, match=message):
        read_structures(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="no such file"):
        read_structures(tmp_path / "water.xyz")


@pytest.mark.parametrize("structure", [_WATER, _SILICON])
def test_good_structures_pass(structure: Molecule | Structure) -> None:
    check_structure(structure)
    check_closed_shell(structure)


def test_overlapping_atoms_are_named_with_their_distance() -> None:
    molecule = Molecule("CHO", [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [3.0, 0.0, 0.3]])
    with pytest.raises(StructureError, match=r"2 \(H\) and 3 \(O\) overlap.* 0\.300 Å"):
        check_structure(molecule)


def test_overlap_with_a_periodic_image_is_found() -> None:
    crystal = Structure(Lattice.cubic(4.0), ["C", "O"], [[0.01, 0, 0], [0.99, 0, 0]])
    with pytest.raises(StructureError, match=r"0\.080 Å"):
        check_structure(crystal)
    slab = Structure(
        Lattice(4 * np.eye(3), pbc=(False, True, True)), ["C", "O"], [[0.01, 0, 0], [0.99, 0, 0]]
    )
    check_structure(slab)


def test_a_tiny_cell_makes_an_atom_overlap_itself() -> None:
    with pytest.raises(StructureError, match=r"1 \(H\) and 1 \(H\) overlap"):
        check_structure(Structure(Lattice.orthorhombic(0.4, 3, 3), ["H"], [[0, 0, 0]]))


def test_coinciding_atoms_of_a_crystal_are_found() -> None:
    crystal = Structure(Lattice.cubic(4.0), ["C", "O"], [[0, 0, 0], [0, 0, 0]])
    with pytest.raises(StructureError, match=r"0\.000 Å"):
        check_structure(crystal)


@pytest.mark.parametrize(
    ("structure", "message"),
    [
        (Molecule([], []), "no atoms"),
        (Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, np.nan, 1.0]]), r"atom 2 \(H\) sits at"),
        (Molecule([DummySpecies("X")], [[0, 0, 0]]), "is not an element"),
        (
            Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]]),
            "partially occupied",
        ),
        (Structure(Lattice(np.diag([3.0, 3.0, 1e-6])), ["H"], [[0, 0, 0]]), "no volume"),
    ],
)
def test_impossible_structures_are_refused(structure: Molecule | Structure, message: str) -> None:
    with pytest.raises(StructureError, match=message):
        check_structure(structure)


def test_odd_electrons_need_spin() -> None:
    cation = Molecule(_WATER.species, _WATER.cart_coords, charge=1)
    with pytest.raises(StructureError, match="H2 O1 with charge 1 has 9 electrons"):
        check_closed_shell(cation)
    check_closed_shell(cation, 0, 1)
    with pytest.raises(StructureError, match="9 electrons"):
        check_closed_shell(_WATER, charge=-1 + 2)


def test_open_shells_are_refused() -> None:
    triplet = Molecule("OO", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]], spin_multiplicity=3)
    with pytest.raises(StructureError, match="spin multiplicity 3"):
        check_closed_shell(triplet)
