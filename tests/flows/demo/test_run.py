from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.demo import run as demo
from scdp_flows.demo.run import FULL, SMALL, DemoPlan, demo_flow, run_demo
from scdp_flows.errors import ModelError, StoreError
from scdp_flows.io.structures import structure_hash
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.reports.tables import SummaryRow
from scdp_flows.schemas.report import ReportDoc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobflow import Flow

_EMPTY = dict.fromkeys(SummaryRow.__dataclass_fields__)


def _jobs(flow: Any) -> Iterator[Any]:
    for job, _ in flow.iterflow():
        yield job


def _hashes(job: Any) -> set[str]:
    return {structure_hash(structure) for structure in job.function_args[0]}


@pytest.mark.parametrize("plan", [FULL, SMALL])
def test_no_test_frame_is_trained_on(plan: DemoPlan, tmp_path: Path) -> None:
    labels = [job for job in _jobs(demo_flow(plan, tmp_path)) if job.name == "label"]
    training, unseen = (_hashes(job) for job in labels)
    assert len(training) == plan.n_train
    assert len(unseen) == plan.n_test
    assert not training & unseen


def test_the_full_demo_is_what_the_readme_says() -> None:
    assert FULL.n_train * (1 - FULL.validation) == pytest.approx(100, abs=1)
    assert FULL.n_test >= 8
    assert FULL.settings.basis == "gth-tzvp"


def test_all_stages_share_one_store_inside_the_output(tmp_path: Path) -> None:
    flow = demo_flow(SMALL, tmp_path)
    makers = [job.maker for job in _jobs(flow)]
    assert {maker.store_path for maker in makers} == {str(tmp_path / "store")}
    assert makers[-1].folder == str(tmp_path)


def test_labels_and_restarts_use_the_same_settings(tmp_path: Path) -> None:
    codes = [
        m.code
        for m in (job.maker for job in _jobs(demo_flow(SMALL, tmp_path)))
        if hasattr(m, "code")
    ]
    assert len(codes) == 3
    assert all(code == codes[0] for code in codes)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> list[Flow]:
    """Replace the run by a finished one, and collect the flows."""
    flows: list[Flow] = []
    row = _EMPTY | {
        "key": "x",
        "name": "trained [in] this demo",
        "n_evaluated": 2,
        "n_restarted": 2,
    }
    row |= {"nmae_percent": 0.25, "n_fallbacks": 0}
    doc = ReportDoc.from_files(
        "Demo",
        files=["report.html", "report.json"],
        summary={"groups": [{"structures": "test split", "rows": [row]}]},
    )

    def finished(flow: Flow, **_: Any) -> dict[str, dict[int, SimpleNamespace]]:
        flows.append(flow)
        return {
            "label": {1: SimpleNamespace(output=None)},
            "report": {1: SimpleNamespace(output=doc)},
        }

    monkeypatch.setattr(demo, "run_locally", finished)
    return flows


def test_the_table_and_the_report_are_shown(
    faked: list[Flow], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run_demo(tmp_path / "out", small=True)
    shown = capsys.readouterr().out
    assert report.title == "Demo"
    assert "trained [in] this demo" in shown
    assert "0.25" in shown
    assert str(tmp_path / "out" / "report.html") in shown.replace("\n", "")
    assert len(faked) == 1


def test_a_missing_checkpoint_is_noted_and_left_out(
    faked: list[Flow],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_: object) -> str:
        raise ModelError("no such model")

    monkeypatch.setattr(ScdpPredictor, "model_id", missing)
    run_demo(tmp_path)
    assert "its row is left out" in capsys.readouterr().out
    seed = next(job for job in _jobs(faked[0]) if job.name == "seed")
    assert [p.name for p in seed.function_kwargs["predictors"]] == ["trained in this demo"]


def test_a_checkpoint_that_is_there_takes_part(
    faked: list[Flow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScdpPredictor, "model_id", lambda _: "f" * 64)
    run_demo(tmp_path)
    names = [
        [p.name for p in job.function_kwargs["predictors"]]
        for job in _jobs(faked[0])
        if job.name == "seed"
    ]
    assert names == [["trained in this demo", "shipped checkpoint"]]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        run_demo(tmp_path / "file" / "out", small=True)


def test_frames_are_real_geometries(tmp_path: Path) -> None:
    job = next(_jobs(demo_flow(SMALL, tmp_path)))
    distances = job.function_args[0][0].distance_matrix
    assert 0.8 < np.min(distances[distances > 0]) < 1.6
