"""XSF files, whose unit is judged or given."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import read_density
from scdp_flows.io.espresso_plot import read_espresso_plot
from scdp_flows.io.xsf import read_xsf

if TYPE_CHECKING:
    from pathlib import Path


def test_both_units_are_told_apart_in_real_files(data: Path) -> None:
    gold = read_xsf(data / "xsf" / "Au_e_per_ang3.xsf.gz")
    radical = read_xsf(data / "xsf" / "oh_e_per_bohr3.xsf.gz")
    assert gold.integral() == pytest.approx(11.0, abs=1e-6)
    assert radical.integral() == pytest.approx(7.0, abs=1e-3)


def test_the_same_run_in_two_formats_agrees(data: Path) -> None:
    ours = read_xsf(data / "xsf" / "oh_e_per_bohr3.xsf.gz")
    theirs = read_espresso_plot(data / "qe" / "oh.pp.gz")
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-5)
    np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-6)


def test_an_unclear_unit_is_refused_unless_given(data: Path, tmp_path: Path) -> None:
    text = gzip.decompress((data / "xsf" / "Au_e_per_ang3.xsf.gz").read_bytes()).decode()
    (tmp_path / "x.xsf").write_text(text.replace("Au", "H "))
    with pytest.raises(DensityFormatError, match=r"11\.0000 electrons in e/ang3 or 74\.2317"):
        read_density(tmp_path / "x.xsf")
    counts = [
        read_density(tmp_path / "x.xsf", format=name).integral()
        for name in ("xsf_bohr", "xsf_angstrom")
    ]
    assert counts == pytest.approx([74.2317, 11.0], abs=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("CRYSTAL", "ANIMSTEPS 2\nCRYSTAL", "animation"),
        ("PRIMCOORD", "NOTHING", "no atoms"),
        ("Au ", "Qq ", "expected an atom"),
        ("  0.0    2.0389999", "  0.0    3.0389999", "another box"),
        ("BEGIN_BLOCK_DATAGRID_3D", "NOTHING", "there is no grid"),
        ("  END_BLOCK", "  BEGIN_DATAGRID_3D_b\n  END_BLOCK", "second grid"),
    ],
)
def test_what_is_wrong_is_said(
    data: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = gzip.decompress((data / "xsf" / "Au_e_per_ang3.xsf.gz").read_bytes()).decode()
    assert old in text
    (tmp_path / "x.xsf").write_text(text.replace(old, new, 1))
    with pytest.raises(DensityFormatError, match=message):
        read_xsf(tmp_path / "x.xsf")
