"""Outputs are found by the names of jobs; the latest counts."""

from __future__ import annotations

import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore

from scdp_flows.submission.outputs import latest_outputs


@pytest.fixture
def store() -> JobStore:
    """Give a store with two runs of one job and one of another."""
    found = JobStore(MemoryStore())
    found.connect()
    runs = [("a", "late", "2026-02-02"), ("a", "early", "2026-01-01"), ("b", 2, "2026-01-01")]
    for number, (name, output, when) in enumerate(runs):
        found.update(
            {"uuid": str(number), "index": 1, "name": name, "output": output, "completed_at": when}
        )
    return found


def test_the_latest_output_of_each_job_is_found(store: JobStore) -> None:
    assert latest_outputs(store, ["a", "b"]) == {"a": "late", "b": 2}


def test_jobs_without_output_are_left_out(store: JobStore) -> None:
    assert latest_outputs(store, ["b", "c"]) == {"b": 2}
