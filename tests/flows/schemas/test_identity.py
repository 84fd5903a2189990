from __future__ import annotations

import math

import pytest

from scdp_flows.errors import StructureError
from scdp_flows.schemas.identity import content_hash, hill_formula, symbols


def test_the_hash_depends_on_content_and_not_on_order() -> None:
    assert content_hash({"a": [1, 2], "b": None}) == content_hash({"b": None, "a": [1, 2]})
    assert content_hash([1, 2]) != content_hash([2, 1])


def test_the_hash_never_changes() -> None:
    # Identifiers live for ever in databases.
    digest = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777"
    assert content_hash({"b": 2, "a": 1}) == digest


def test_nan_has_no_hash() -> None:
    with pytest.raises(ValueError, match="JSON"):
        content_hash({"a": math.nan})


@pytest.mark.parametrize(
    ("numbers", "formula"),
    [([8, 1, 1], "H2O"), ([8, 6, 1, 1, 1, 1], "CH4O"), ([11, 17], "ClNa"), ([6], "C")],
)
def test_formulas_are_in_hill_order(numbers: list[int], formula: str) -> None:
    assert hill_formula(numbers) == formula


def test_symbols_cover_the_periodic_table() -> None:
    assert symbols([1, 26, 79, 118]) == ["H", "Fe", "Au", "Og"]


@pytest.mark.parametrize("number", [0, -1, 119])
def test_an_unknown_element_is_named(number: int) -> None:
    with pytest.raises(StructureError, match=f"atom 1 has atomic number {number}"):
        symbols([1, number])
