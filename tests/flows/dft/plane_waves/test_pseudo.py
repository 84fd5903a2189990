"""Pseudopotential files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.pseudo import file_sha256, read_pseudopotential
from scdp_flows.errors import DensityFormatError, SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings

DEBIAN = Path("/usr/share/espresso/pseudo")

VERSION_1 = """<PP_HEADER>
   0                   Version Number
  C                    Element
   NC                  Norm - Conserving pseudopotential
    F                  Nonlinear Core Correction
 SLA  PZ   NOGX NOGC   PZ   Exchange-Correlation functional
    4.00000000000      Z valence
</PP_HEADER>
<PP_MESH>
  <PP_R>
  1.0E-03  2.0E-03
  </PP_R>
  <PP_RAB>
  1.0E-04  2.0E-04
  </PP_RAB>
</PP_MESH>
<PP_RHOATOM>
  1.0E-03  2.0E-03
</PP_RHOATOM>
"""


def test_version_2(toy: EspressoSettings) -> None:
    pseudo = read_pseudopotential(Path(toy.pseudo_dir) / "Si.toy.UPF")
    assert (pseudo.symbol, pseudo.n_electrons, pseudo.kind) == ("Si", 4.0, "NC")
    assert pseudo.functional == "PBE"
    assert pseudo.shells is not None
    assert pseudo.steps is not None
    assert pseudo.shells @ pseudo.steps == pytest.approx(4.0, abs=1e-3)


def test_version_1(tmp_path: Path) -> None:
    (tmp_path / "C.UPF").write_text(VERSION_1)
    pseudo = read_pseudopotential(tmp_path / "C.UPF")
    assert (pseudo.symbol, pseudo.n_electrons, pseudo.kind) == ("C", 4.0, "NC")
    assert pseudo.functional == "PZ"
    np.testing.assert_array_equal(pseudo.shells, [1e-3, 2e-3])


def test_analytical_files_carry_the_name_of_their_set(tmp_path: Path) -> None:
    text = "gth-pbe Si q4\n14 4 0  zatom zion pspdat\n10 11 1 0 2001 0\n0.44 1 -6.27\n0\n"
    (tmp_path / "Si.gth").write_text(text)
    pseudo = read_pseudopotential(tmp_path / "Si.gth")
    assert (pseudo.name, pseudo.symbol, pseudo.functional) == ("gth-pbe", "Si", "PBE")
    assert pseudo.is_gth


@pytest.mark.parametrize(
    ("content", "message"),
    [("Si 14 4", "neither UPF nor GTH"), (VERSION_1.replace("PP_RAB", "PP_X"), "PP_RAB")],
    ids=["another format", "a section is missing"],
)
def test_unreadable_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.UPF").write_text(content)
    with pytest.raises(DensityFormatError, match=message):
        read_pseudopotential(tmp_path / "x.UPF")
    with pytest.raises(SettingsError, match="cannot be read"):
        file_sha256(tmp_path / "missing.UPF")


@pytest.mark.requires("espresso")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("O.pz-rrkjus.UPF", ("O", 6.0, "US", "PZ")),
        ("Ni.pbesol-n-kjpaw_psl.0.1.UPF", ("Ni", 10.0, "PAW", "PBEsol")),
        ("Al.pz-vbc.UPF", ("Al", 3.0, "NC", "PZ")),
    ],
)
def test_files_that_debian_ships(name: str, expected: tuple[str, float, str, str]) -> None:
    pseudo = read_pseudopotential(DEBIAN / name)
    assert (pseudo.symbol, pseudo.n_electrons, pseudo.kind, pseudo.functional) == expected
