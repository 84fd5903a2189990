from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.stores.criteria import (
    distinct_values,
    group_documents,
    indexed_expression,
    matches,
    normalised,
    project,
    sort_documents,
    sql_prefilter,
)

VALUES: list[Any] = [
    "a",
    "1",
    "",
    "ä ö",
    1,
    0,
    -3,
    2**40,
    1.0,
    1.5,
    True,
    False,
    None,
    [],
    ["a", 1],
    [["a"]],
    {"b": "a"},
    {"b": ["a"]},
    [{"b": "a"}, {"b": 1}],
    {"b": {"c": 1}},
]


def _passing(documents: list[dict[str, Any]], criteria: dict[str, Any]) -> list[dict[str, Any]]:
    condition, parameters = sql_prefilter(criteria)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE docs (document TEXT)")
        rows = [(json.dumps(document),) for document in documents]
        connection.executemany("INSERT INTO docs VALUES (?)", rows)
        statement = f"SELECT document FROM docs WHERE {condition or '1'}"  # noqa: S608
        return [json.loads(text) for (text,) in connection.execute(statement, parameters)]


@pytest.mark.parametrize("field", ["a", "a.b", "a.0", "a.b.c", "z"])
def test_sql_never_drops_a_document_that_matches(field: str) -> None:
    documents = [{"a": value} for value in VALUES] + [{}]
    queries: list[dict[str, Any]] = [{field: value} for value in VALUES]
    queries += [{field: {"$in": [one, other]}} for one in VALUES[:8] for other in VALUES[:8]]
    queries += [{"$and": [{field: value}, {field: {"$ne": "q"}}]} for value in VALUES]
    for query in queries:
        passing = _passing(documents, query)
        lost = [doc for doc in documents if matches(query, doc) and doc not in passing]
        assert not lost, query


def test_sql_drops_what_it_can() -> None:
    assert _passing([{"a": "x"}, {"a": "y"}], {"a": "x"}) == [{"a": "x"}]
    assert _passing([{"a": {"b": 2}}], {"a.b": {"$in": [1, 3]}}) == []
    assert _passing([{"a": 1, "b": 1}], {"$and": [{"a": 1}, {"b": 2}]}) == []


@pytest.mark.parametrize("query", [{"a": None}, {"a": {"$gt": 1}}, {"a": 2**70}, {"a": "\ud800"}])
def test_sql_leaves_alone_what_it_cannot_decide(query: dict[str, Any]) -> None:
    assert sql_prefilter(query) == ("", [])


@pytest.mark.parametrize("name", ["", "$or", "it's", 'say "x"', "a\\b"])
def test_odd_names_have_no_expression(name: str) -> None:
    assert indexed_expression(name) is None


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
