"""Folders of VASP calculations, before and after they ran, with a real density of silicon."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pymatgen.io.vasp.inputs import Poscar

from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure

# What the log of a run must say of its kind; the channels are those of the real pseudopotential.
OUTCAR = """ vasp.5.4.1 24Jun15
   VRHFIN =Si: s2p2
   LEXCH  = PE
   TITEL  = PAW_PBE Si 01Jan2026
  non local Contribution for L=           0  read in
  non local Contribution for L=           0  read in
  non local Contribution for L=           1  read in
  non local Contribution for L=           1  read in
   dimension x,y,z NGXF=    24 NGYF=   24 NGZF=   24
   ICHARG =      2    charge: 1-file 2-atom 10-const
   ISPIN  =      1    spin polarized calculation?
   ENCUT  =  245.0 eV
   GGA     =    --    GGA type
   NIONS =      2
   NELECT =       8.0000    total number of electrons
"""
INCAR = "ENCUT = 245 ; PREC = Normal\nNGXF = 24; NGYF = 24; NGZF = 24  # as the data\nISMEAR = 0\n"


@pytest.fixture(scope="session")
def silicon(repository: Path) -> Structure:
    """Give the crystal of the real density."""
    from pymatgen.core import Lattice, Structure

    density = read_chgcar(repository / "tests" / "data" / "vasp" / "Si2_24_CHGCAR.gz")
    return Structure(
        Lattice(density.cell), ["Si", "Si"], density.positions, coords_are_cartesian=True
    )


@pytest.fixture
def finished(repository: Path, tmp_path: Path) -> Path:
    """Give the folder of a finished run with a real CHGCAR of one spin."""
    folder = tmp_path / "finished"
    folder.mkdir()
    shutil.copy(repository / "tests/data/vasp/Si2_24_CHGCAR.gz", folder / "CHGCAR.gz")
    (folder / "OUTCAR").write_text(OUTCAR)
    return folder


@pytest.fixture
def write_inputs(repository: Path, tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes the inputs of a calculation into a new folder."""

    def write(structure: Structure, incar: str = INCAR, name: str = "run") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "INCAR").write_text(incar)
        (folder / "KPOINTS").write_text("mesh\n0\nGamma\n2 2 2\n")
        poscar = Poscar(structure)
        poscar.write_file(folder / "POSCAR")
        psp = repository / "tests/data/vasp/psp/POT_GGA_PAW_PBE_54"
        heads = [(psp / f"POTCAR.{symbol}").read_text() for symbol in poscar.site_symbols]
        (folder / "POTCAR").write_text("".join(heads))
        return folder

    return write
