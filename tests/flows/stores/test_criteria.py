from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.stores.criteria import (
    distinct_values,
    group_documents,
    matches,
    normalised,
    project,
    sort_documents,
)


@pytest.mark.parametrize(
    "query", [{"a": {"$nonsense": 1}}, {"$or": []}, {"a": {"$regex": "("}}, {"$where": "1"}]
)
def test_a_query_that_cannot_be_evaluated_is_named(query: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot evaluate the query"):
        matches(query, {"a": "x"})


def test_times_are_compared_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    query = normalised({"t": {"$lt": datetime(2026, 1, 1, 2, 0, 0, 1999, tzinfo=berlin)}})
    assert query == {"t": {"$lt": datetime(2026, 1, 1, 0, 0, 0, 1000)}}  # noqa: DTZ001
    assert normalised({"t": datetime(2026, 1, 1, tzinfo=UTC)})["t"].tzinfo is None


def test_sorting_is_stable_and_takes_mixed_types() -> None:
    docs = [{"n": n, "v": v} for n, v in enumerate([2, None, "x", 1, 2, [3]])]
    docs = docs[3:] + docs[:3]
    ordered = [doc["v"] for doc in sort_documents(docs, {"v": 1, "n": -1})]
    assert ordered == [None, 1, 2, 2, [3], "x"]
    twos = [doc["n"] for doc in sort_documents(docs, {"v": 1, "n": -1}) if doc["v"] == 2]
    assert twos == [4, 0]


def test_a_wrong_direction_is_named() -> None:
    with pytest.raises(StoreError, match="direction of 'n' is 2"):
        sort_documents([], {"n": 2})


def test_projection_of_lists_keeps_documents_only() -> None:
    doc = {"a": [{"x": 1, "y": 2}, 3, {"y": 4}], "b": 5}
    assert project(doc, ["a.x"]) == {"a": [{"x": 1}, {}]}
    assert project(doc, {"a.x": 0}) == {"a": [{"y": 2}, 3, {"y": 4}], "b": 5}
    assert project(doc, ["b.x"]) == {}
    assert project(doc, {"b.x": 0, "a": 0}) == {"b": 5}


def test_a_parent_covers_its_fields() -> None:
    doc = {"a": {"x": 1, "y": 2}, "_id": 7}
    assert project(doc, ["a", "a.x"]) == {"a": {"x": 1, "y": 2}}
    assert project(doc, {"_id": 0}) == {"a": {"x": 1, "y": 2}}
    assert project(doc, []) == doc


@pytest.mark.parametrize(
    ("properties", "complaint"), [({"a": 1, "b": 0}, "mixes"), ({"a": {"$slice": 1}}, "only 1 and")]
)
def test_projections_that_mean_nothing_here(properties: dict[str, Any], complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint):
        project({"a": 1, "b": 2}, properties)


def test_distinct_takes_what_cannot_be_hashed() -> None:
    docs: list[dict[str, Any]] = [{"a": {"x": 1}}, {"a": [{"x": 1}, 2]}, {"a": 2}, {}]
    assert distinct_values(iter(docs), "a") == [{"x": 1}, 2]


def test_groups_by_two_fields() -> None:
    docs: list[dict[str, Any]] = [
        {"a": {"b": 1}, "c": 1},
        {"a": {"b": 1}, "c": 2},
        {"a": {"b": 1}, "c": 1},
        {"c": 1},
    ]
    groups = group_documents(iter(docs), ["a.b", "c"])
    assert [(label, len(members)) for label, members in groups] == [
        ({"a": {"b": 1}, "c": 1}, 2),
        ({"a": {"b": 1}, "c": 2}, 1),
    ]
