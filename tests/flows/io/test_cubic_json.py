"""Crystals of the Cubic set."""

from __future__ import annotations

import json
import lzma
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.base import read_density
from scdp_flows.io.cubic_json import read_cubic_json

if TYPE_CHECKING:
    from pathlib import Path


def _document(**changes: Any) -> dict[str, Any]:
    values = np.arange(24.0)  # of a grid 2x3x4, the first index fastest
    rows = [[f"{v:.3E}" for v in values[i : i + 10]] for i in range(0, 24, 10)]
    return {
        "vector": [[2.0], [9.0]],
        "lattice": [[[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]],
        "elements": [["Na", "Cl"]],
        "elements_number": [[1, 2]],
        "coordinates": [[[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0, 0]]],
        "FFTgrid": [[2, 3, 4]],
        "chargedensity": [[*rows, ["7.0"] * 10]],
        **changes,
    }


def _write(path: Path, **changes: Any) -> Path:
    path.write_bytes(lzma.compress(json.dumps(_document(**changes)).encode()))
    return path


def test_first_elements_scale_and_order(tmp_path: Path) -> None:
    density = read_cubic_json(_write(tmp_path / "1.json.xz"))
    assert density.volume == pytest.approx(8.0)
    assert density.numbers.tolist() == [11, 17, 17]
    assert density.values[1, 0, 0] == pytest.approx(1.0 / 8)
    assert density.values[0, 1, 0] == pytest.approx(2.0 / 8)
    assert density.integral() == pytest.approx(11.5)
    np.testing.assert_allclose(density.positions[2], [0.5, 0, 0])


def test_overflowed_values_are_not_taken_for_zero(tmp_path: Path) -> None:
    rows = _document()["chargedensity"][0]
    rows[1][3] = "*********"
    with pytest.raises(DensityFormatError, match="1 values have overflowed"):
        read_cubic_json(_write(tmp_path / "1.json.xz", chargedensity=[rows]))


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("elements", [["Na", "Xx"]], "elements"),
        ("elements_number", [[1e9, 2]], "elements"),
        ("elements_number", [[1.5, 2]], "elements"),
        ("lattice", [[[1e300, 0, 0], [0, 1e300, 0], [0, 0, 1]]], "lattice"),
        ("vector", [[float("nan")]], "vector"),
        ("FFTgrid", [[2, 3, 400]], "expected 240 for 2x3x400"),
        ("FFTgrid", [[2, 3]], "FFTgrid"),
        ("lattice", [[[1, 0, 0], [1, 0, 0], [0, 0, 1]]], "lattice"),
        ("coordinates", [], "coordinates"),
        ("chargedensity", [[["1"] * 10, 5, "x"]], "chargedensity"),
    ],
)
def test_impossible_fields_are_named(tmp_path: Path, key: str, value: Any, field: str) -> None:
    with pytest.raises(DensityFormatError, match=field):
        read_density(_write(tmp_path / "1.json.xz", **{key: value}), format="cubic_json")
