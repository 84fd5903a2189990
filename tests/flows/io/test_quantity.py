from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.quantity import Quantity, guess_quantity

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("CHGCAR", Quantity.DENSITY),
        ("CHGCAR.spin_density.gz", Quantity.DENSITY),
        ("chgcar.vasp", Quantity.DENSITY),
        ("AECCAR0.gz", Quantity.CORE),
        ("AECCAR2", Quantity.RECONSTRUCTED),
        ("PARCHG.0012.ALLK", Quantity.PARTIAL),
        ("LOCPOT.bz2", Quantity.POTENTIAL),
        ("ELFCAR", Quantity.LOCALISATION),
        ("spin_density.xsf", Quantity.SPIN),
        ("rho_sad.npy.gz", Quantity.SUPERPOSITION),
    ],
)
def test_names_tell(name: str, quantity: Quantity, tmp_path: Path) -> None:
    assert guess_quantity(tmp_path / name) is quantity


@pytest.mark.parametrize(
    ("comment", "quantity"),
    [
        ("-Quickstep-\n SUM OF ALPHA AND BETA DENSITY", Quantity.DENSITY),
        ("Cube\n  Energy =   5.0000 eV, broadening =   5.0000 eV", Quantity.LOCAL_STATES),
        ("Cube\nProperty: Dt [e/a0^3].", Quantity.DENSITY),
        ("Cube\nProperty: Ds [e/a0^3].", Quantity.SPIN),
        ("water HOMO\nMO coefficients", Quantity.ORBITAL),
        ("Electrostatic potential from Total SCF Density\n", Quantity.POTENTIAL),
        ("ELF\n", Quantity.LOCALISATION),
        ("rho(A-B) - rho(A) - rho(B)\ndensity difference", Quantity.DIFFERENCE),
    ],
)
def test_comments_of_cube_files_tell(comment: str, quantity: Quantity, tmp_path: Path) -> None:
    (tmp_path / "x.cube").write_text(comment + "\n 1 0.0 0.0 0.0\n")
    assert guess_quantity(tmp_path / "x.cube") is quantity


def test_a_missing_cube_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match="no such file"):
        guess_quantity(tmp_path / "x.cube")
