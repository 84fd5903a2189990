"""The file that says of what a density of Quantum ESPRESSO is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.espresso_xml import read_schema

if TYPE_CHECKING:
    from pathlib import Path


def test_atoms_grid_and_electrons(data: Path) -> None:
    run = read_schema(data / "qe" / "oh.save" / "charge-density.dat")
    assert (run.numbers.tolist(), run.shape, run.n_electrons) == ([8, 1], (18, 18, 20), 7.0)
    np.testing.assert_allclose(run.positions[0] * 0.529177210903, [0.9, 1.3, 0.7], atol=1e-8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<qes:espresso", "<!DOCTYPE x [<!ENTITY a 'aa'>]><qes:espresso", "document type"),
        ('<atom name="O1"', '<atom name="Q1"', "no known element"),
        ('nr1="18" nr2', 'nr1="0" nr2', "grid is missing"),
        ('nr1="18" nr2', 'nr1="x" nr2', "invalid literal"),
        ("</output>", "", "mismatched"),
        ("<a1>", "<a1>1.0 ", "three coordinates"),
    ],
)
def test_what_is_wrong_is_said(
    data: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (data / "qe" / "oh.save" / "data-file-schema.xml").read_text()
    assert old in text
    (tmp_path / "data-file-schema.xml").write_text(text.replace(old, new))
    with pytest.raises(DensityFormatError, match=message):
        read_schema(tmp_path / "charge-density.dat")


def test_entities_in_another_encoding_are_refused(data: Path, tmp_path: Path) -> None:
    text = (data / "qe" / "oh.save" / "data-file-schema.xml").read_text()
    hidden = text.replace("<qes:espresso", "<!DOCTYPE x [<!ENTITY a 'aa'>]><qes:espresso")
    (tmp_path / "data-file-schema.xml").write_text(
        hidden.replace("UTF-8", "UTF-16"), encoding="utf-16"
    )
    with pytest.raises(DensityFormatError, match=r"not well-formed|invalid token"):
        read_schema(tmp_path / "charge-density.dat")


def test_an_unknown_encoding_is_no_other_error(data: Path, tmp_path: Path) -> None:
    text = (data / "qe" / "oh.save" / "data-file-schema.xml").read_text()
    (tmp_path / "data-file-schema.xml").write_text(text.replace("UTF-8", "UTFTF-8"))
    assert read_schema(tmp_path / "charge-density.dat").n_electrons == 7.0
