"""Jobs run here, and their results are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import typer
from jobflow import Flow, job

from scdp_flows.cli.running import PARTLY_FAILED, run_here, show_failures, show_table
from scdp_flows.errors import StructureError
from scdp_flows.schemas.outputs import Refusal
from scdp_flows.stores.factory import job_store

if TYPE_CHECKING:
    from pathlib import Path


@job
def _add(a: int, b: int) -> int:
    return a + b


@job
def _fail() -> None:
    raise StructureError("bent")


def test_jobs_and_flows_give_their_output_and_keep_it(tmp_path: Path) -> None:
    first = _add(1, 2)
    second = _add(first.output, 4)
    assert run_here(Flow([first, second], output={"sum": second.output}), tmp_path) == {"sum": 7}
    alone = _add(2, 2)
    assert run_here(alone, tmp_path) == 4
    with job_store(tmp_path) as outputs:
        assert outputs.get_output(alone.uuid) == 4


def test_errors_come_out_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(StructureError, match="bent"):
        run_here(_fail(), tmp_path)


def test_a_table_shows_numbers_with_four_digits(capsys: Any) -> None:
    show_table("numbers", ("a", "b", "c"), [(1.23456789, None, "x")])
    shown = capsys.readouterr().out
    assert "1.235" in shown
    assert "-" in shown


def test_whole_numbers_are_shown_whole_and_brackets_are_kept(capsys: Any) -> None:
    # Such a name of a folder ended the command: it looks like the end of a style.
    show_table("set [a]", ("a", "b"), [(54432.0, "runs[/old]/CHGCAR[0]"), (1e12, "[red]")])
    shown = capsys.readouterr().out
    for text in ("set [a]", "54432", "1e+12", "runs[/old]/CHGCAR[0]", "[red]"):
        assert text in shown


def test_failures_change_the_exit_status(capsys: Any) -> None:
    show_failures([])
    refusal = Refusal(index=0, item="H2 [a]", error="StructureError", reason="overlap")
    with pytest.raises(typer.Exit) as caught:
        show_failures([refusal])
    assert caught.value.exit_code == PARTLY_FAILED
    assert "failed: H2 [a]: overlap" in capsys.readouterr().err
