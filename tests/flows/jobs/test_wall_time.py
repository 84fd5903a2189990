"""A job knows when it will be killed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.wall_time import TimeLimit, find_time_limit

if TYPE_CHECKING:
    from pathlib import Path

_VARIABLES = (
    "SLURM_JOB_END_TIME",
    "SLURM_JOB_START_TIME",
    "SBATCH_TIMELIMIT",
    "PBS_WALLTIME",
    "CUSTODIAN_WALLTIME_START",
    "SLURM_JOB_ID",
)


@pytest.fixture(autouse=True)
def _no_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _VARIABLES:
        # Set first, so that what a test writes is taken back too.
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)


def test_without_batch_system_there_is_no_limit() -> None:
    assert find_time_limit() is None
    assert "CUSTODIAN_WALLTIME_START" not in os.environ


def test_a_given_time_counts_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBS_WALLTIME", "100")
    limit = find_time_limit(5000)
    assert limit is not None
    assert limit.end == pytest.approx(time.time() + 5000, abs=5)
    assert limit.margin_s == 300
    assert not limit.too_late


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90", 5400),
        ("2:30", 150),
        ("1:02:03", 3723),
        ("2-1", 176400),
        ("1-02:30", 95400),
        ("1-0:0:1", 86401),
    ],
)
def test_slurms_times_are_understood(
    value: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_TIMELIMIT", value)
    monkeypatch.setenv("SLURM_JOB_START_TIME", "1000")
    assert find_time_limit() == TimeLimit(1000, 1000 + seconds)


def test_slurms_end_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_START_TIME", "1000")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "2000")
    assert find_time_limit() == TimeLimit(1000, 2000)
    assert TimeLimit(1000, 2000).stop_at == 1900
    assert TimeLimit(1000, 2000).too_late


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("1:05 8:55", (65, 535)), ("1-00:00:00 0:30", (86400, 30)), ("1:05 UNLIMITED", None)],
)
def test_older_slurms_are_asked(
    answer: str, expected: tuple[int, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f'#!/bin/sh\ntest "$3 $4" = "--jobs 17" && echo "{answer}"\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    limit = find_time_limit()
    found = None if limit is None else (time.time() - limit.start, limit.end - time.time())
    assert found == (None if expected is None else pytest.approx(expected, abs=5))


def test_a_slurm_that_does_not_answer_sets_no_limit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert find_time_limit() is None
    assert "does not say when job 17 ends" in caplog.text


def test_the_start_is_kept_for_later_jobs_of_the_batch_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PBS_WALLTIME", "3600")
    first = find_time_limit()
    monkeypatch.setattr(time, "time", lambda: 1e10)
    assert first is not None
    assert find_time_limit() == first
    assert first.too_late


def test_an_endless_batch_job_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBATCH_TIMELIMIT", "UNLIMITED")
    assert find_time_limit() is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SBATCH_TIMELIMIT", "soon"), ("PBS_WALLTIME", "1h"), ("CUSTODIAN_WALLTIME_START", "today")],
)
def test_a_time_that_is_none_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBS_WALLTIME", "3600")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{variable} is '{value}'"):
        find_time_limit()


def test_a_time_must_be_positive() -> None:
    with pytest.raises(SettingsError, match="wall_time_s is 0"):
        find_time_limit(0)
