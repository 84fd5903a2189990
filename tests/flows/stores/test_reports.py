from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import UnknownNameError
from scdp_flows.schemas.evaluation import EvaluationDoc
from scdp_flows.schemas.prediction import PredictionDoc
from scdp_flows.schemas.relaxation import RelaxationDoc, RelaxationStep
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.schemas.run_seed import RunSeedDoc
from scdp_flows.schemas.run_start import RunOutcome
from scdp_flows.schemas.seeding import SeedDoc
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc
from scdp_flows.schemas.vasp_seed import VaspAudit, VaspSeedDoc
from scdp_flows.stores.reports import ReportStore, RunStart

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


def test_the_starts_of_all_codes_are_told_alike(sqlite_store: SqliteStore) -> None:
    reports = ReportStore(sqlite_store)
    run: dict[str, Any] = {"formula": "Si2", "n_atoms": 2, "structure_hash": "0", "source": "model"}
    audit: dict[str, Any] = {"seed_used": True, "scf_steps": [6, 4]}
    vasp = VaspAudit(**audit, charge_read=True, occupancies="read", magnetization="none")
    reports.put(VaspSeedDoc(run_id="a", job_uuid="a", status="seeded", audit=vasp, **run))
    other = RunOutcome(**audit)
    reports.put(RunSeedDoc(run_id="b", job_uuid="b", status="seeded", audit=other, code="x", **run))
    reports.put(RunSeedDoc(run_id="not audited", status="seeded", code="x", **run))
    numbers: dict[str, Any] = {"fock_builds": 1, "energy_ev": -1.0, "cpu_s": 1.0, "wall_s": 1.0}
    steps = [
        RelaxationStep(start="prediction", seed_used=True, iterations=6, **numbers),
        RelaxationStep(
            start="corrected", seed_used=False, fallback_reason="grew", iterations=9, **numbers
        ),
    ]
    hashes = dict.fromkeys(("structure_hash", "settings_hash", "kind_key"), "0")
    path: dict[str, Any] = {"formula": "CH4", "policy": "auto", "converged": True, **hashes}
    reports.put(RelaxationDoc(relaxation_id="c", job_uuid="c", steps=steps, **path))
    assert list(reports.starts()) == [
        RunStart("a", "Si2", True, None, [6, 4]),
        RunStart("b", "Si2", True, None, [6, 4]),
        RunStart("c", "CH4", False, "grew", [6, 9]),
    ]
