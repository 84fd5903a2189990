from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from scdp_flows.stores.criteria import matches
from scdp_flows.stores.pushdown import (
    Condition,
    certain_condition,
    indexed_expression,
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
    return _select(documents, sql_prefilter(criteria))


def _select(documents: list[dict[str, Any]], wanted: Condition) -> list[dict[str, Any]]:
    condition, parameters = wanted
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
    queries += [
        {field: {sign: value}} for value in VALUES for sign in ("$gt", "$gte", "$lt", "$lte")
    ]
    queries += [{field: {"$gt": 0, "$lte": 1}}, {field: {"$gte": "", "$lt": "b"}}]
    for query in queries:
        passing = _passing(documents, query)
        lost = [doc for doc in documents if matches(query, doc) and doc not in passing]
        assert not lost, query


def test_sql_drops_what_it_can() -> None:
    assert _passing([{"a": "x"}, {"a": "y"}], {"a": "x"}) == [{"a": "x"}]
    assert _passing([{"a": {"b": 2}}], {"a.b": {"$in": [1, 3]}}) == []
    assert _passing([{"a": 1, "b": 1}], {"$and": [{"a": 1}, {"b": 2}]}) == []
    assert _passing([{"a": 1}, {"a": 4}, {"a": 9}], {"a": {"$gt": 2, "$lt": 8}}) == [{"a": 4}]
    assert _passing([{"a": ["x"]}, {"a": ["y"]}], {"a": "y"}) == [{"a": ["y"]}]


@pytest.mark.parametrize(
    "query",
    [{"a": None}, {"a": {"$ne": 1}}, {"a": 2**70}, {"a": "\ud800"}, {"a": {"$gt": float("nan")}}],
)
def test_sql_leaves_alone_what_it_cannot_decide(query: dict[str, Any]) -> None:
    assert sql_prefilter(query) == ("", [])


@pytest.mark.parametrize("name", ["", "$or", "it's", 'say "x"', "a\\b"])
def test_odd_names_have_no_expression(name: str) -> None:
    assert indexed_expression(name) is None


@pytest.mark.parametrize("third", [1 / 3, 0.1 + 0.2, 1e-300, -2.2250738585072014e-308])
def test_rounding_loses_nothing_at_the_edge_of_a_range(third: float) -> None:
    documents = [{"a": third}]
    for query in ({"a": {"$gte": third}}, {"a": {"$lte": third}}):
        assert _passing(documents, query) == documents


def test_what_is_certain_matches() -> None:
    documents = [{"a": value} for value in VALUES] + [{}]
    for wanted in ("a", {"$in": ["a", "1"]}, {"$eq": ""}):
        certain = certain_condition({"a": wanted})
        assert certain is not None
        sure = _select(documents, certain)
        assert sure
        assert all(matches({"a": wanted}, document) for document in sure)


@pytest.mark.parametrize(
    "query",
    [{}, {"a": 1}, {"a": {"$gt": "b"}}, {"a": "x", "b": None}, {"a": {"$eq": "x", "$ne": "y"}}],
)
def test_nothing_is_certain_about_other_queries(query: dict[str, Any]) -> None:
    assert certain_condition(query) is None
