"""JSON is parsed as plain data."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.json_text import load_json, number_array

if TYPE_CHECKING:
    from pathlib import Path


def test_compressed_json(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(gzip.compress(b'{"a": [1]}'))
    assert load_json(tmp_path / "x.json") == {"a": [1]}


@pytest.mark.parametrize("content", ["", "{", "[" * 200_000])
def test_what_is_no_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DensityFormatError, match="is no JSON"):
        load_json(tmp_path / "x.json")


@pytest.mark.parametrize("value", [[1, 2], [[1], [2, 3]], [["x"]], None, []])
def test_arrays_have_the_wanted_shape(value: object) -> None:
    assert number_array([[1, 2]], (1, None), file="x", field="y").tolist() == [[1, 2]]
    with pytest.raises(DensityFormatError, match="x, y"):
        number_array(value, (None, 2), file="x", field="y")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(value: float) -> None:
    with pytest.raises(DensityFormatError, match=r"x\.json, lattice: holds NaN or infinity"):
        number_array([1.0, value], (2,), file="x.json", field="lattice")
