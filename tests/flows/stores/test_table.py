from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.stores.connection import SqliteFile
from scdp_flows.stores.table import DocumentTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def table(tmp_path: Path) -> Iterator[DocumentTable]:
    """Give an empty table with a name that needs quoting."""
    file = SqliteFile(tmp_path / "a.sqlite")
    file.open()
    made = DocumentTable(file, 'odd "name"; --')
    made.create()
    made.create()
    yield made
    file.close()


def _write(table: DocumentTable, *documents: dict[str, Any]) -> None:
    table.write([({"n": doc["n"]}, json.dumps(doc)) for doc in documents])


def _plan(table: DocumentTable, criteria: dict[str, Any]) -> str:
    statements: list[str] = []
    with table.file.reading() as connection:
        connection.set_trace_callback(statements.append)
        list(table.find(criteria))
        connection.set_trace_callback(None)
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}").fetchall()
    return " ".join(str(row[3]) for row in rows)


def test_documents_come_in_order_of_writing_across_pages(table: DocumentTable) -> None:
    _write(table, *({"n": n} for n in range(700)))
    _write(table, {"n": 5, "again": True})
    found = [doc["n"] for _, doc in table.find({})]
    assert found == list(range(700))
    assert table.count() == 700


def test_the_caller_may_write_while_it_reads(table: DocumentTable) -> None:
    _write(table, *({"n": n} for n in range(600)))
    for _, doc in table.find({}):
        if doc["n"] % 100 == 99:
            _write(table, {**doc, "seen": True}, {"n": -doc["n"]})
    assert [doc["n"] for _, doc in table.find({"seen": True})] == [99, 199, 299, 399, 499, 599]
    assert table.count() == 606


def test_an_index_is_used(table: DocumentTable) -> None:
    _write(table, *({"n": n, "kind": {"code": "vasp"}} for n in range(50)))
    assert "USING INDEX" not in _plan(table, {"kind.code": "vasp"})
    assert table.ensure_index("kind.code", unique=False)
    assert table.ensure_index("kind.code", unique=False)
    assert "USING INDEX" in _plan(table, {"kind.code": "vasp"})
    assert "USING INDEX" in _plan(table, {"kind.code": {"$in": ["vasp", "pyscf"]}})


def test_a_unique_index_guards_values_but_not_their_absence(table: DocumentTable) -> None:
    _write(table, {"n": 1, "name": "a"}, {"n": 2}, {"n": 3})
    assert table.ensure_index("name", unique=True)
    with pytest.raises(StoreError, match="unique index"):
        _write(table, {"n": 4}, {"n": 5, "name": "a"})
    assert table.count() == 3


def test_a_unique_index_on_values_that_are_not_is_not_made(table: DocumentTable) -> None:
    _write(table, {"n": 1, "name": "a"}, {"n": 2, "name": "a"})
    assert not table.ensure_index("name", unique=True)
    assert table.ensure_index("name", unique=False)
    assert not table.ensure_index("it's", unique=False)


def test_remove(table: DocumentTable) -> None:
    _write(table, *({"n": n} for n in range(10)))
    table.remove({"n": {"$gte": 3}})
    assert [doc["n"] for _, doc in table.find(None)] == [0, 1, 2]
    table.remove({})
    assert table.count() == 0


def test_counting_looks_at_lists_too(table: DocumentTable) -> None:
    _write(table, {"n": 1, "tags": "a"}, {"n": 2, "tags": ["a", "b"]}, {"n": 3, "tags": "b"})
    assert table.count({"tags": "a"}) == 2
    assert table.count({"tags": {"$in": ["a", "b"]}}) == 3
    assert table.count({"tags": {"$ne": "a"}}) == 1
    assert table.count({"tags": "c"}) == 0


def test_distinct_values_of_mixed_types(table: DocumentTable) -> None:
    _write(table, *({"n": n, "v": v} for n, v in enumerate(["x", 1, "x", ["y", "x"], None, 2.5])))
    for _ in range(2):
        assert set(table.distinct("v", None)) == {"x", "y", 1, 2.5, None}
        assert set(table.distinct("v", {"n": {"$lt": 2}})) == {"x", 1}
        assert table.ensure_index("v", unique=False)


def test_sorting_holds_only_what_it_compares(table: DocumentTable) -> None:
    _write(table, *({"n": n, "v": -n % 7, "text": "x" * 100} for n in range(600)))
    found = list(table.find_sorted({"n": {"$gte": 100}}, {"v": 1, "n": -1}))
    assert [(doc["v"], -doc["n"]) for doc in found] == sorted(
        (doc["v"], -doc["n"]) for doc in found
    )
    assert len(found) == 500
    assert all(doc["text"] for doc in found)
