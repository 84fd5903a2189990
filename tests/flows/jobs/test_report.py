"""The report of a job is written where its Maker says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import UnknownNameError
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.report import ReportMaker

if TYPE_CHECKING:
    from scdp_flows.schemas.report import ReportDoc


def test_a_report_of_an_evaluation(labels: list[str], store_path: str, tmp_path: Path) -> None:
    evaluator = EvaluateMaker(store_path=store_path, n_processes=1)
    output = EvaluateMaker.make.original(evaluator, [], labels)  # type: ignore[attr-defined]
    maker = ReportMaker(store_path=store_path, folder=str(tmp_path / "out"), title="Mine")
    doc: ReportDoc = ReportMaker.make.original(  # type: ignore[attr-defined]
        maker, evaluation_ids=output.evaluation_ids
    )
    assert doc.title == "Mine"
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(doc.files)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["title"] == "Mine"
    with maker.open_stores() as stores:
        assert stores.reports.reports.get(doc.report_id) == doc


def test_an_unknown_evaluation_is_named(store_path: str, tmp_path: Path) -> None:
    maker = ReportMaker(store_path=store_path, folder=str(tmp_path))
    with pytest.raises(UnknownNameError, match="nothere"):
        ReportMaker.make.original(maker, evaluation_ids=["nothere"])  # type: ignore[attr-defined]


def test_the_folder_does_not_depend_on_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(ReportMaker(folder="out").folder) == tmp_path / "out"
