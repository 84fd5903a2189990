from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.part import ScdpPart, Vector3


class Atom(ScdpPart):
    symbol: str
    position: Vector3 = (0.0, 0.0, 0.0)


def test_a_misspelt_field_is_an_error() -> None:
    with pytest.raises(ValidationError, match="sybmol"):
        Atom.model_validate({"symbol": "H", "sybmol": "H"})


def test_numbers_must_be_finite() -> None:
    with pytest.raises(ValidationError, match="finite"):
        Atom(symbol="H", position=(0.0, math.nan, 0.0))


def test_values_cannot_be_assigned() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Atom(symbol="H").symbol = "He"  # type: ignore[misc]


def test_keys_of_jobflow_and_mongodb_are_dropped() -> None:
    foreign = {"@module": "m", "@class": "c", "@version": None, "_id": object()}
    assert Atom.model_validate({"symbol": "H", **foreign}) == Atom(symbol="H")


def test_updated_validates_and_leaves_the_original() -> None:
    atom = Atom(symbol="H")
    assert atom.updated(position=[1, 2, 3]).position == (1.0, 2.0, 3.0)
    assert atom.position == (0.0, 0.0, 0.0)
    with pytest.raises(ValidationError):
        atom.updated(position="here")


def test_to_dict_has_json_types_only() -> None:
    assert Atom(symbol="H").to_dict() == {"symbol": "H", "position": [0.0, 0.0, 0.0]}
