from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.grid_text import Lines
from scdp_flows.io.poscar import (
    PoscarHeader,
    read_poscar_header,
    species_of_potcar,
    write_poscar_header,
)

if TYPE_CHECKING:
    from pathlib import Path

_CELL = "4 0 0\n0 5 0\n0 0 6\n"
_ATOMS = "Direct\n0 0 0\n0.5 0.5 0.5\n0.25 0 0\n"


def _read(text: str, species: list[str] | None = None) -> PoscarHeader:
    return read_poscar_header(Lines(BytesIO(text.encode()), "CHGCAR"), species)


@pytest.mark.parametrize(
    "species", ["Mg O", "Mg_pv/f474ac0d O/79d9987ad87", "Mg/ O_s", "Mg_sv_GW/b O1.25"]
)
def test_elements_are_read_in_every_dialect(species: str) -> None:
    header = _read(f"comment\n1.0\n{_CELL}{species}\n1 2\n{_ATOMS}")
    assert header.numbers.tolist() == [12, 8, 8]
    assert np.allclose(header.positions, [[0.0, 0.0, 0.0], [2.0, 2.5, 3.0], [1.0, 0.0, 0.0]])


def test_vasp_4_takes_the_elements_from_the_comment() -> None:
    assert _read(f"Mg O\n1.0\n{_CELL}1 2\n{_ATOMS}").numbers.tolist() == [12, 8, 8]
    with pytest.raises(DensityFormatError, match="insert a line with them"):
        _read(f"my system\n1.0\n{_CELL}1 2\n{_ATOMS}")
    given = _read(f"my system\n1.0\n{_CELL}1 2\n{_ATOMS}", species=["O", "Mg"])
    assert given.numbers.tolist() == [8, 12, 12]


@pytest.mark.parametrize(
    "text",
    [
        " PAW_PBE Mg_pv\n  TITEL  = PAW_PBE Mg_pv 13Apr2007\n x\n  TITEL  = PAW_PBE O 08Apr2002\n",
        "Mg_pv\nO\n",
    ],
)
def test_a_potcar_names_the_elements(text: str, tmp_path: Path) -> None:
    (tmp_path / "POTCAR").write_text(text)
    assert species_of_potcar(tmp_path / "POTCAR") == ("Mg", "O")
    (tmp_path / "POTCAR").write_text("nothing of the kind\n")
    with pytest.raises(DensityFormatError, match="check that this is a POTCAR"):
        species_of_potcar(tmp_path / "POTCAR")


@pytest.mark.parametrize(
    ("scale", "edges"),
    [("2.0", (8, 10, 12)), ("-960", (8, 10, 12)), ("1 2 3", (4, 10, 18))],
)
def test_scale_factors(scale: str, edges: tuple[float, float, float]) -> None:
    atoms = "Cartesian\n1 1 1\n"
    header = _read(f"c\n{scale}\n{_CELL}H\n1\n{atoms}")
    assert np.allclose(np.diag(header.cell), edges)
    # Cartesian coordinates are scaled as the cell is.
    assert np.allclose(header.positions[0], np.array(edges) / [4, 5, 6])


def test_selective_dynamics_and_flags_are_passed_over() -> None:
    text = f"c\n1.0\n{_CELL}H\n1\nSelective dynamics\nDirect\n0.5 0.5 0.5 T F T\n"
    assert np.allclose(_read(text).positions, [[2, 2.5, 3]])


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("", 0, "comment"),
        ("c\nscale\n", 2, "scale factor"),
        ("c\n1 2\n", 2, "scale factor"),
        ("c\n1.0\n1 0\n", 3, "cell"),
        ("c\n1.0\n1 0 1e300\n", 3, "cell"),
        ("c\n1.0\n1 0 0\n1 0 nan\n", 4, "cell"),
        ("c\n1.0\n1 0 0\n2 0 0\n0 0 1\n", 5, "cell"),
        (f"c\n1.0\n{_CELL}Mg Xx\n1 2\n{_ATOMS}", 7, "species"),
        (f"c\n1.0\n{_CELL}Mg O\n1\n{_ATOMS}", 7, "species"),
        (f"c\n1.0\n{_CELL}Mg O\n1 0\n{_ATOMS}", 7, "species"),
        (f"c\n1.0\n{_CELL}Mg O\n1 99999999999\n{_ATOMS}", 7, "species"),
        (f"c\n1 1 -1\n{_CELL}Mg O\n1 2\n{_ATOMS}", 5, "scale factor"),
        (f"c\n1e5\n{_CELL}Mg O\n1 2\n{_ATOMS}", 5, "cell"),
        (f"c\n1.0\n{_CELL}Mg O\n1 2\n28 28 28\n", 8, "coordinate mode"),
        (f"c\n1.0\n{_CELL}Mg O\n1 2\nDirect\n0 0\n", 9, "atom"),
        (f"c\n1.0\n{_CELL}Mg O\n1 3\n{_ATOMS}", 11, "atom"),
    ],
)
def test_wrong_lines_are_named(text: str, line: int, field: str) -> None:
    with pytest.raises(DensityFormatError, match=rf"CHGCAR, line {line} \({field}\)"):
        _read(text)


def test_what_is_written_is_read_back_in_order(rng: np.random.Generator) -> None:
    cell = np.diag([4.0, 5.0, 6.0]) + rng.normal(size=(3, 3)) * 0.1
    numbers = np.array([6, 1, 1, 8, 1])
    positions = rng.random((5, 3)) @ cell
    stream = BytesIO()
    write_poscar_header(stream, PoscarHeader("a comment", cell, numbers, positions))
    copy = _read(stream.getvalue().decode())
    assert copy.comment == "a comment"
    assert copy.numbers.tolist() == [6, 1, 1, 8, 1]
    assert np.allclose(copy.cell, cell, rtol=0, atol=1e-13)
    assert np.allclose(copy.positions, positions, rtol=0, atol=1e-12)


def test_atoms_are_wrapped_into_the_cell() -> None:
    positions = np.array([[-1.0, 5.5, 0.0], [-1e-18, 0.0, 0.0]])
    stream = BytesIO()
    write_poscar_header(stream, PoscarHeader("c", 5 * np.eye(3), np.array([1, 1]), positions))
    assert np.allclose(
        _read(stream.getvalue().decode()).positions, [[4.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
    )


def test_the_header_has_the_columns_of_vasp() -> None:
    stream = BytesIO()
    cell, positions = np.diag([2.8, 2.8, 4.25]), np.array([[0.0, 0.0, 0.0], [1.4, 0.0, 1.0625]])
    write_poscar_header(stream, PoscarHeader("c", cell, np.array([26, 8]), positions))
    assert stream.getvalue().decode().splitlines()[1:] == [
        "   1.00000000000000     ",
        "     2.800000    0.000000    0.000000",
        "     0.000000    2.800000    0.000000",
        "     0.000000    0.000000    4.250000",
        "   Fe   O ",
        "     1     1",
        "Direct",
        "  0.000000  0.000000  0.000000",
        "  0.500000  0.000000  0.250000",
    ]
