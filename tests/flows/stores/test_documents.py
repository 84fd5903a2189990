from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from maggma.stores import MemoryStore
from pymongo.errors import ServerSelectionTimeoutError

from scdp_flows.errors import StoreError, UnknownNameError
from scdp_flows.schemas.provenance import Provenance
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_flows.stores.sqlite import SqliteStore

Reports = DocumentStore[ReportDoc]


@pytest.fixture(params=["alone", "shared", "memory"])
def reports(request: pytest.FixtureRequest, sqlite_store: SqliteStore) -> Iterator[Reports]:
    """Give an empty store of reports, alone in its collection or not."""
    store = MemoryStore() if request.param == "memory" else sqlite_store
    with store:
        yield DocumentStore(store, ReportDoc, shared=request.param == "shared")


def _report(title: str) -> ReportDoc:
    return ReportDoc.from_files(title, files=[], summary={"nmae_percent": 0.3})


def test_put_get_and_remove(reports: Reports) -> None:
    doc = reports.put(_report("a"))
    assert reports.get(doc.report_id) == doc
    assert reports.count() == 1
    reports.remove(doc.report_id)
    assert reports.find({"title": "a"}) is None


def test_putting_the_same_again_keeps_the_first(reports: Reports) -> None:
    first = reports.put(_report("a"))
    later = first.updated(provenance=Provenance.collect(command="again"))
    assert reports.put(later) == first
    assert reports.count() == 1


def test_another_content_replaces(reports: Reports) -> None:
    first = reports.put(_report("a"))
    reports.put(first.updated(summary={"nmae_percent": 0.2}))
    assert reports.get(first.report_id).summary == {"nmae_percent": 0.2}
    assert reports.count() == 1


def test_queries_are_mongodbs(reports: Reports) -> None:
    for title in ("b", "c", "a"):
        reports.put(_report(title))
    found = reports.query({"title": {"$gt": "a"}}, sort={"title": -1})
    assert [doc.title for doc in found] == ["c", "b"]
    assert [doc.title for doc in reports.query(sort={"title": 1}, skip=1, limit=1)] == ["b"]
    assert reports.distinct("title") == ["a", "b", "c"]
    assert reports.count({"summary.nmae_percent": {"$lt": 0.1}}) == 0


def test_a_missing_document_is_named_among_the_known(reports: Reports) -> None:
    doc = reports.put(_report("a"))
    with pytest.raises(UnknownNameError, match=f"unknown report 'nothing'.*{doc.report_id}"):
        reports.get("nothing")


def test_a_foreign_document_is_named(sqlite_store: SqliteStore) -> None:
    sqlite_store.update({"report_id": "x", "titel": "a", "files": []}, key="report_id")
    with pytest.raises(StoreError, match="report 'x' cannot be read, field title"):
        DocumentStore(sqlite_store, ReportDoc).get("x")


def test_an_unreachable_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("far away")

    def fail(**_: object) -> None:
        raise ServerSelectionTimeoutError("no server")

    monkeypatch.setattr(store, "query", lambda *_, **__: fail())
    monkeypatch.setenv("SCDP_STORE_WAIT_S", "0")
    with pytest.raises(StoreError, match=r"far away.*no server.*start the server"):
        DocumentStore(store, ReportDoc).put(_report("a"))


def test_documents_that_are_stored_together_are_those_stored_one_by_one(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = DocumentStore(sqlite_store, ReportDoc)
    first = reports.put(_report("a"))
    written: list[int] = []
    plain = sqlite_store.update

    def update(rows: list[dict[str, object]], key: str) -> None:
        written.append(len(rows))
        plain(rows, key)

    monkeypatch.setattr(sqlite_store, "update", update)
    stored = reports.put_many([_report("a"), _report("b"), _report("c")])
    assert stored[0] == first
    assert written == [2]
    assert reports.count() == 3
