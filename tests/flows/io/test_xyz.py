from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError
from scdp_flows.io.structures import total_charge
from scdp_flows.io.xyz import AtomicStructure, parse_xyz

_H2 = "H 0 0 0\nH 0 0 0.74\n"
_CELL = 'Lattice="4 0 0 1 5 0 0 0 6"'


def _parse(text: str) -> list[AtomicStructure]:
    return list(parse_xyz(iter(text.splitlines(keepends=True)), "m.xyz"))


def test_plain_frames_are_molecules() -> None:
    frames = _parse(f"2\nhydrogen\n{_H2}\n1\n\nLi 1 2 3\n\n")
    assert [type(frame) for frame in frames] == [Molecule, Molecule]
    assert [frame.formula for frame in frames] == ["H2", "Li1"]
    assert np.allclose(frames[1].cart_coords, [[1, 2, 3]])


def test_charge_and_multiplicity_are_understood() -> None:
    cation = _parse(f"2\ncharge=+1 spin_multiplicity=2\n{_H2}")[0]
    assert isinstance(cation, Molecule)
    assert (cation.charge, cation.spin_multiplicity) == (1, 2)
    triplet = _parse(f"2\ncharge = 0 multiplicity = 3\n{_H2}")[0]
    assert isinstance(triplet, Molecule)
    assert triplet.spin_multiplicity == 3


def test_the_multiplicity_is_the_lowest_by_default() -> None:
    radical = _parse("1\n\nH 0 0 0\n")[0]
    assert isinstance(radical, Molecule)
    assert radical.spin_multiplicity == 2


def test_other_pairs_become_properties() -> None:
    frame = _parse(f'2\nid=7 energy=-1.5 name="my molecule" note=x\n{_H2}')[0]
    assert frame.properties == {"id": 7, "energy": -1.5, "name": "my molecule", "note": "x"}


def test_columns_are_found_by_their_names() -> None:
    text = '2\nProperties=forces:R:3:pos:R:3:id:I:1:species:S:1 pbc="F F F"\n'
    frame = _parse(text + "9 9 9 0 0 1 5 He\n9 9 9 1 2 3 6 Ne\n")[0]
    assert [site.species_string for site in frame] == ["He", "Ne"]
    assert np.allclose(frame.cart_coords, [[0, 0, 1], [1, 2, 3]])


@pytest.mark.parametrize("pbc", ["", 'pbc="T T T"', 'pbc="1 1 1"', "pbc=[True, True, True]"])
def test_a_lattice_makes_a_crystal(pbc: str) -> None:
    crystal = _parse(f"2\n{_CELL} {pbc} charge=1\n{_H2}")[0]
    assert isinstance(crystal, Structure)
    assert np.allclose(crystal.lattice.matrix, [[4, 0, 0], [1, 5, 0], [0, 0, 6]])
    assert crystal.lattice.pbc == (True, True, True)
    assert total_charge(crystal) == 1
    assert np.allclose(crystal.cart_coords[1], [0, 0, 0.74])


def test_slabs_keep_their_open_direction() -> None:
    slab = _parse(f'2\n{_CELL} pbc="T T F"\n{_H2}')[0]
    assert isinstance(slab, Structure)
    assert slab.lattice.pbc == (True, True, False)


def test_a_box_without_periodicity_is_a_molecule() -> None:
    assert isinstance(_parse(f'2\n{_CELL} pbc="F F F"\n{_H2}')[0], Molecule)


@pytest.mark.parametrize(
    ("written", "symbol"), [("6", "C"), ("CL", "Cl"), ("h", "H"), ("Fe", "Fe")]
)
def test_elements_are_normalised(written: str, symbol: str) -> None:
    assert _parse(f"1\n\n{written} 0 0 0\n")[0][0].species_string == symbol


def test_exponents_of_fortran_are_read() -> None:
    assert np.allclose(_parse("1\n\nH 1.5D0 2d-1 0\n")[0].cart_coords, [[1.5, 0.2, 0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("two\n\n", r"m.xyz, line 1: found 'two'"),
        ("-1\n\n", "line 1"),
        ("0\n\n", "number of atoms"),
        ("3\n\n" + _H2, "3 atoms are announced and 2 lines follow"),
        ("1\n", "1 atoms are announced and 0 lines follow"),
        (f"1\n\n{_H2}", r"line 4: found 'H 0 0 0.74'"),
        ("1\n\nQ 0 0 0\n", "line 3: unknown element 'Q'"),
        ("1\n\nC1 0 0 0\n", "unknown element 'C1'"),
        ("1\n\nH 0 0\n", "line 3: 'H 0 0' is not an atom"),
        ("1\n\nH 0 0 up\n", "is not an atom"),
        ("1\n\nH\n", "is not an atom"),
        ("1\nProperties=species:S\nH 0 0 0\n", "line 2: Properties="),
        ("1\nProperties=name:S:1:pos:R:3\nH 0 0 0\n", "does not describe the columns"),
        ('1\nLattice="1 2 3"\nH 0 0 0\n', "nine numbers"),
        (f'1\n{_CELL} pbc="T T"\nH 0 0 0\n', "three logical values"),
        ('1\npbc="T T T"\nH 0 0 0\n', "without a cell"),
        ("1\ncharge=0.5\nH 0 0 0\n", "charge='0.5' is not an integer"),
        ("1\ncharge=inf\nH 0 0 0\n", "charge='inf' is not an integer"),
        ("1\ncharge=x\nH 0 0 0\n", "charge='x' is not an integer"),
    ],
)
def test_wrong_frames_are_named(text: str, message: str) -> None:
    with pytest.raises(StructureError, match=message):
        _parse(text)
