"""Flows are sent, and workers examined, from the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.cli import submit as commands
from scdp_flows.stores.factory import open_stores
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.work import WORKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Molecule


@pytest.fixture
def flow_file(tmp_path: Path) -> Path:
    """Give the file of a flow that needs nothing."""
    path = tmp_path / "flow.yaml"
    path.write_text(f"maker: doctor\nfields: {{store_path: {tmp_path / 'store'}}}\n")
    return path


def test_the_template_can_be_read_back(scdp: Callable[..., Any]) -> None:
    assert Cluster.parse(scdp("cluster-template").stdout) == Cluster.parse(TEMPLATE)


def test_without_a_cluster_a_flow_runs_here(
    scdp: Callable[..., Any], flow_file: Path, tmp_path: Path
) -> None:
    done = scdp("submit", str(flow_file), "--store", str(tmp_path / "store"))
    assert done.exit_code == 0
    assert (tmp_path / "store" / "jobs.sqlite").is_file()
    assert "doctor: done" in done.stdout
    assert re.search(r"host .* \S+", done.stdout)


def test_data_goes_into_the_store_that_is_named(
    scdp: Callable[..., Any], tmp_path: Path, water: Molecule
) -> None:
    water.to(str(tmp_path / "water.xyz"))
    (tmp_path / "flow.yaml").write_text(
        "maker: predict\nstructures: {structures: water.xyz}\nfields:\n  predict_maker:\n"
        "    predictor: {class: 'scdp_flows.predictors.atomic:AtomicPredictor', model: small-"
        "molecules-pbe-gth}\n"
    )
    done = scdp("submit", tmp_path / "flow.yaml", "--store", tmp_path / "mine")
    assert done.exit_code == 0, done.stderr
    with open_stores(tmp_path / "mine") as stores:
        assert stores.reports.predictions.count() == 1
    assert not (tmp_path / "scdp_data").exists()


def test_a_store_is_refused_that_the_workers_would_not_use(
    scdp: Callable[..., Any], flow_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "cluster.yaml").write_text(TEMPLATE)
    cluster = ("--cluster", tmp_path / "cluster.yaml")
    done = scdp("submit", flow_file, *cluster, "--store", tmp_path / "mine")
    assert done.exit_code == 2
    assert "with the engine remote data goes where" in done.stderr


def test_this_machine_is_examined(scdp: Callable[..., Any], tmp_path: Path) -> None:
    done = scdp("doctor", "--store", str(tmp_path), "--program", "no-such-program")
    assert done.exit_code == 1
    assert "no-such-program" in done.stdout
    assert "FAILED" in done.stdout
    assert scdp("doctor", "--store", str(tmp_path)).exit_code == 0


def test_nothing_is_known_of_jobs_that_run_here(scdp: Callable[..., Any]) -> None:
    done = scdp("status")
    assert done.exit_code != 0
    assert "keeps no jobs" in done.stderr


def test_an_old_answer_does_not_hide_a_new_failure(
    scdp: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cluster.yaml").write_text(TEMPLATE)
    then = (datetime.now(UTC) - timedelta(hours=50)).isoformat()
    checks = [{"name": "torch", "ok": True, "detail": "fine"}]
    old = {"host": "node1", "work": "dft", "checks": checks, "examined_at": then}
    monkeypatch.setattr(commands, "outputs", lambda *_: {f"doctor {work}": old for work in WORKS})
    rows = [("2", "doctor dft", "FAILED", "cpu"), ("1", "doctor dft", "COMPLETED", "cpu")]
    monkeypatch.setattr(commands, "states", lambda *_: rows)
    done = scdp("doctor", "--results", "--cluster", tmp_path / "cluster.yaml")
    assert done.exit_code == 1
    assert f"{then[:10]} {then[11:16]} UTC (2 days ago)" in " ".join(done.stdout.split())
    assert done.stderr.strip() == "the latest job for dft is FAILED; what is shown is older"
    rows.pop(0)
    assert scdp("doctor", "--results", "--cluster", tmp_path / "cluster.yaml").exit_code == 0
