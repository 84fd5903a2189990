"""Flows are sent, and workers examined, from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.submission.cluster import TEMPLATE, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
