from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import UnknownNameError
from scdp_flows.schemas.evaluation import EvaluationDoc
from scdp_flows.schemas.prediction import PredictionDoc
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.schemas.seeding import SeedDoc
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc
from scdp_flows.stores.reports import ReportStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.schemas.base import ScdpDoc
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.sqlite import SqliteStore

TYPES: list[type[ScdpDoc]] = [
    PredictionDoc,
    EvaluationDoc,
    SeedDoc,
    SeedingBenchmarkDoc,
    ReportDoc,
]


@pytest.fixture
def docs(example: Callable[[str], dict[str, Any]]) -> list[ScdpDoc]:
    """Give one document of each type."""
    return [document.model_validate(example(document.doc_type)) for document in TYPES]


def test_all_types_live_in_one_collection(sqlite_store: SqliteStore, docs: list[ScdpDoc]) -> None:
    reports = ReportStore(sqlite_store)
    for doc in docs * 2:
        assert reports.put(doc) == doc
    assert sqlite_store.count() == 5
    for doc in docs:
        assert reports.get(doc.doc_type, doc.identifier) == doc


def test_each_view_sees_its_own_type(sqlite_store: SqliteStore, docs: list[ScdpDoc]) -> None:
    reports = ReportStore(sqlite_store)
    for doc in docs:
        reports.put(doc)
    assert [doc.predictor for doc in reports.predictions.query()] == ["scdp"]
    assert reports.evaluations.count({"summary.nmae_percent.mean": {"$lt": 1}}) == 1
    assert [doc.starts[1].iterations for doc in reports.seeds.query()] == [6]
    assert reports.reports.count({"predictor": "scdp"}) == 0


def test_rows_say_what_they_are(sqlite_store: SqliteStore, docs: list[ScdpDoc]) -> None:
    ReportStore(sqlite_store).put(docs[0])
    row = next(sqlite_store.query())
    assert row["doc_type"] == "prediction"
    assert row["report_key"] == f"prediction-{docs[0].identifier}"


def test_other_types_are_refused(sqlite_store: SqliteStore, density_doc: DensityDoc) -> None:
    reports = ReportStore(sqlite_store)
    with pytest.raises(UnknownNameError, match="unknown report type 'density'"):
        reports.put(density_doc)
    with pytest.raises(UnknownNameError, match=r"'seeds'; known \(closest first\): seed"):
        reports.get("seeds", "x")
