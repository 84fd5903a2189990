from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pymatgen.core import Lattice, Structure

from scdp_flows.dft.vasp.inputs import read_folder, with_tag
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ENCUT = 520\n", "ENCUT = 520\nICHARG = 1\n"),
        ("ENCUT = 520", "ENCUT = 520\nICHARG = 1\n"),
        ("ICHARG = 2\nISMEAR = 0\n", "ICHARG = 1\nISMEAR = 0\n"),
        ("A = 1 ; icharg=0 ; B = 2 # c\n", "A = 1 ; icharg=1 ; B = 2 # c\n"),
        ("ICHARG = 2 # from atoms\n", "ICHARG = 1 # from atoms\n"),
        ("# ICHARG = 11\n", "# ICHARG = 11\nICHARG = 1\n"),
    ],
    ids=["added", "no line end", "replaced", "several in a line", "comment kept", "comment only"],
)
def test_one_tag_changes_and_nothing_else(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "INCAR").write_text(before)
    with_tag(tmp_path, "ICHARG", "1")
    assert (tmp_path / "INCAR").read_text() == after


def test_a_folder_tells_what_will_be_computed(
    write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    inputs = read_folder(write_inputs(silicon, "ISPIN = 2\nGGA = PS\nMAGMOM = 2*0.6\nENCUT = 200"))
    assert (inputs.ispin, inputs.functional, inputs.n_electrons) == (2, "PBEsol", 8.0)
    assert inputs.moments == [0.6, 0.6]
    assert inputs.atom_titles == ("PAW_PBE Si 01Jan2026",) * 2


def test_a_spec_stands_in_for_the_potcar(
    write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    folder = write_inputs(silicon)
    (folder / "POTCAR").unlink()
    with pytest.raises(CalculationError, match=r"POTCAR\.spec"):
        read_folder(folder)
    (folder / "POTCAR.spec").write_text("Si\n")
    inputs = read_folder(folder)
    assert (inputs.titles, inputs.n_electrons, inputs.channels) == (("Si",), None, None)
    assert inputs.shape() == (24, 24, 24)


def test_atoms_of_another_potcar_are_refused(
    write_inputs: Callable[..., Path], repository: Path
) -> None:
    folder = write_inputs(Structure(Lattice.cubic(4.0), ["Al"], [[0, 0, 0]]))
    silicon = repository / "tests/data/vasp/psp/POT_GGA_PAW_PBE_54/POTCAR.Si"
    (folder / "POTCAR").write_text(silicon.read_text())
    with pytest.raises(CalculationError, match="Al, POTCAR Si"):
        read_folder(folder)


@pytest.mark.parametrize("name", ["INCAR", "POSCAR"])
def test_missing_and_damaged_files_are_named(
    write_inputs: Callable[..., Path], silicon: Structure, name: str
) -> None:
    folder = write_inputs(silicon)
    (folder / name).write_text("\x00 damaged = = \n1\n")
    if name == "POSCAR":
        with pytest.raises(CalculationError, match="POSCAR"):
            read_folder(folder)
    (folder / name).unlink()
    with pytest.raises(CalculationError, match=f"{name} is missing"):
        read_folder(folder)
