"""pymatgen's JSON of a real CHGCAR is the CHGCAR."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from monty.json import MontyEncoder
from pymatgen.io.vasp.outputs import Chgcar

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.chgcar import read_chgcar, write_chgcar
from scdp_flows.io.mp_json import density_from_chgcar_dict, read_mp_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def document(data: Path) -> dict[str, Any]:
    """Give bcc iron of two spins as the Materials Project stores it."""
    chgcar = Chgcar.from_file(str(data / "vasp" / "Fe_bcc_CHGCAR_spin.gz"))
    content: dict[str, Any] = json.loads(json.dumps(chgcar.as_dict(), cls=MontyEncoder))
    return content


def test_values_and_occupancies_are_those_of_the_file(
    document: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    (tmp_path / "mp-13.json").write_text(json.dumps({"data": document}))
    ours = read_mp_json(tmp_path / "mp-13.json")
    real = read_chgcar(data / "vasp" / "Fe_bcc_CHGCAR_spin.gz")
    np.testing.assert_allclose(ours.values, real.values, atol=1e-12)
    assert ours.magnetization is not None
    assert real.magnetization is not None
    np.testing.assert_allclose(ours.magnetization, real.magnetization, atol=1e-12)
    assert ours.augmentation is not None
    assert real.augmentation is not None
    for mine, theirs in zip(ours.augmentation, real.augmentation, strict=True):
        np.testing.assert_array_equal(mine.occupancies, theirs.occupancies)
        np.testing.assert_array_equal(mine.atoms, theirs.atoms)


def test_non_collinear_documents_are_those_of_the_file(
    data: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    real = read_chgcar(data / "vasp" / "Fe2_cubic_CHGCAR.gz")
    vector = rng.normal(size=(3, *real.shape)) * 0.01
    assert real.augmentation is not None
    spinor = replace(real, magnetization_vector=vector, augmentation=real.augmentation * 4)
    write_chgcar(spinor, tmp_path / "CHGCAR")
    theirs = Chgcar.from_file(str(tmp_path / "CHGCAR")).as_dict()
    ours = density_from_chgcar_dict(json.loads(json.dumps(theirs, cls=MontyEncoder)), source="mp")
    assert ours.magnetization_vector is not None
    np.testing.assert_allclose(ours.magnetization_vector, vector, atol=1e-11)
    np.testing.assert_allclose(ours.values, real.values, atol=1e-11)
    assert ours.augmentation is not None
    assert [each.occupancies.size for each in ours.augmentation] == [276] * 4


def test_older_documents_hold_lines(document: dict[str, Any]) -> None:
    lines = ["augmentation occupancies   1   3\n", "  0.5E+00 -0.25E+00\n", "  0.1E+01\n"]
    document["data_aug"] = {"total": lines, "diff": []}
    density = density_from_chgcar_dict(document, source="mp-13")
    assert density.augmentation is not None
    assert density.augmentation[0].record(0).tolist() == [0.5, -0.25, 1.0]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"poscar": {}}, "structure"),
        ({"data": {}}, "total"),
        ({"data": {"total": [[1.0]]}}, r"data\.total"),
        ({"data": {"total": [[[1.0]]], "diff_x": [[[1.0]]]}}, "diff_y"),
        ({"data": {"total": [[[1.0]]], "diff": [[[1.0, 2.0]]]}}, "different shapes"),
        ({"data_aug": {"total": {"x": [1]}}}, "data_aug"),
    ],
)
def test_impossible_documents_name_the_field(
    document: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    with pytest.raises(DensityFormatError, match=rf"^mp-13, .*{field}"):
        density_from_chgcar_dict({**document, **change}, source="mp-13")


def test_named_classes_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"data": {"@module": "os", "@class": "system", "poscar": 1}}')
    with pytest.raises(DensityFormatError, match="structure: is missing"):
        read_mp_json(tmp_path / "x.json")


@pytest.mark.parametrize("length", [1e-300, 1e200])
def test_cells_beyond_numbers_are_refused(document: dict[str, Any], length: float) -> None:
    document["poscar"]["structure"]["lattice"]["matrix"] = (length * np.eye(3)).tolist()
    with pytest.raises(DensityFormatError, match="lattice: the cell has no volume"):
        density_from_chgcar_dict(document, source="mp-13")
