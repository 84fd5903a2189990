"""Splits depend on the structures and on nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from monty.json import MontyDecoder

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.splits import SplitRule

_MANY = [(f"density{i}", f"structure{i}") for i in range(2000)]


def test_fractions_are_met() -> None:
    counts = Counter(SplitRule(validation=0.2, test=0.1).divide(_MANY).values())
    assert counts["test"] == pytest.approx(200, abs=40)
    assert counts["validation"] == pytest.approx(360, abs=50)


def test_a_structure_keeps_its_place_when_others_join() -> None:
    rule = SplitRule()
    few, many = rule.divide(_MANY[:500]), rule.divide(reversed(_MANY))
    assert few == {density_id: many[density_id] for density_id in few}


def test_two_labels_of_a_structure_stand_on_one_side() -> None:
    places = SplitRule(test=0.5).divide([(f"{i}-{j}", f"s{i}") for i in range(50) for j in "ab"])
    assert all(places[f"{i}-a"] == places[f"{i}-b"] for i in range(50))


def test_a_list_of_test_structures_is_exact() -> None:
    places = SplitRule(test=0.9).divide(_MANY[:20], {"density3", "density7"})
    assert {d for d, place in places.items() if place == "test"} == {"density3", "density7"}


def test_a_small_set_gets_a_validation_structure() -> None:
    places = SplitRule(validation=0.01).divide(_MANY[:3], set())
    assert Counter(places.values()) == {"train": 2, "validation": 1}
    assert set(SplitRule(validation=0.0).divide(_MANY[:3], set()).values()) == {"train"}
    assert set(SplitRule(validation=0.01).divide(_MANY[:1], set()).values()) == {"train"}


def test_a_small_set_gets_a_test_structure_unless_they_are_listed() -> None:
    rule = SplitRule(validation=0.0, test=0.01)
    assert Counter(rule.divide(_MANY[:3]).values()) == {"train": 2, "test": 1}
    assert set(rule.divide(_MANY[:3], set()).values()) == {"train"}


def test_a_group_is_moved_as_a_whole() -> None:
    pairs = [(f"{group}{n}", group) for group in "ab" for n in range(3)]
    places = SplitRule(validation=0.0, test=0.001).divide(pairs)
    assert Counter(places.values()) == {"train": 3, "test": 3}
    assert len({places[f"a{n}"] for n in range(3)}) == 1


def test_an_unknown_grouping_is_named() -> None:
    with pytest.raises(SettingsError, match=r"unknown grouping 'compositon'.*composition"):
        SplitRule(by="compositon")  # type: ignore[arg-type]


def test_salt_divides_otherwise() -> None:
    assert SplitRule(salt="1").divide(_MANY[:100]) != SplitRule(salt="2").divide(_MANY[:100])


def test_impossible_fractions_are_refused() -> None:
    with pytest.raises(SettingsError, match="validation fraction is 1"):
        SplitRule(validation=1.0)


def test_a_rule_survives_json() -> None:
    rule = SplitRule(test_tag="held out", salt="x")
    assert MontyDecoder().process_decoded(rule.as_dict()) == rule
