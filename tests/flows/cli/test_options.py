"""Values of options are read with care."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.cli.options import as_path, parse_pairs, predictors, read_all
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_values_are_numbers_lists_or_words() -> None:
    found = parse_pairs(["a=1e-3", "b=[1, 2]", "c=true", "d=coulomb", "e=x=y"], "--set")
    assert found == {"a": 1e-3, "b": [1, 2], "c": True, "d": "coulomb", "e": "x=y"}
    assert parse_pairs(None, "--set") == {}


@pytest.mark.parametrize("pairs", [["a"], ["=1"], ["a=1", "a=2"]])
def test_malformed_values_are_refused(pairs: list[str]) -> None:
    with pytest.raises(SettingsError, match="--set"):
        parse_pairs(pairs, "--set")


def test_structures_are_named_after_their_files(tmp_path: Path, water: Molecule) -> None:
    from pymatgen.io.xyz import XYZ

    water.to(str(tmp_path / "one.xyz"))
    XYZ([water, water]).write_file(str(tmp_path / "two.xyz"))
    (tmp_path / "sub").mkdir()
    water.to(str(tmp_path / "sub" / "one.xyz"))
    files = [tmp_path / "one.xyz", tmp_path / "two.xyz", tmp_path / "sub" / "one.xyz"]
    assert list(read_all(files)) == ["one", "two_0000", "two_0001", "one_"]


def test_each_model_becomes_a_predictor_of_its_name(tmp_path: Path) -> None:
    found = predictors(["mine", "some/model.safetensors"], tmp_path)
    assert [(p.model, p.name) for p in found] == [
        ("mine", "mine"),
        ("some/model.safetensors", "model"),
    ]
    assert found[0].store_path == as_path(tmp_path) == str(tmp_path)
    assert as_path(None) is None
