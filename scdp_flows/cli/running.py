"""Run jobs here and now, and show what they made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from jobflow import Flow, Job, run_locally
from jobflow.core.reference import find_and_resolve_references
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scdp_flows.schemas.outputs import Refusal
from scdp_flows.stores.factory import job_store

__all__ = ["PARTLY_FAILED", "run_here", "show_failures", "show_table"]

PARTLY_FAILED = 1
"""Exit status where some items of a batch have no result."""

# A table that goes to a file need not be squeezed into 80 columns.
_WIDTH = 140
_LARGEST_WHOLE = 1e9


def run_here(work: Job | Flow, store: Path | None) -> Any:
    """Run a job or flow in this process and return its output.

    Parameters
    ----------
    work
        What to run.
    store
        Folder of the embedded stores, which also hold the outputs of the jobs; None: as the
        settings say.

    Raises
    ------
    ScdpFlowsError
        What the jobs raise.
    """
    outputs = job_store(store)
    responses = run_locally(work, log=False, store=outputs, raise_immediately=True)
    try:
        if isinstance(work, Flow):
            return find_and_resolve_references(work.output, outputs)
        return responses[work.uuid][1].output
    finally:
        outputs.close()


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers get four significant digits, large whole ones all of theirs.

    Parameters
    ----------
    title
        Its title.
    columns
        Names of the columns, with units.
    rows
        One value per column; None is shown as a dash.
    """
    table = Table(title=Text(title), title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(table)


def _text(value: object) -> Text:
    """Return what is shown; names may hold brackets, which rich would take for its own."""
    if value is None:
        return Text("-")
    if not isinstance(value, float):
        return Text(str(value))
    is_large_whole = value.is_integer() and abs(value) < _LARGEST_WHOLE
    return Text(f"{value:.0f}" if is_large_whole else f"{value:.4g}")


def show_failures(failed: Sequence[Refusal]) -> None:
    """Print why items failed; if any did, end with the exit status for that."""
    console = Console(stderr=True, soft_wrap=True)
    for item in failed:
        named = item.reason.startswith(item.item)
        text = item.reason if named else f"{item.item}: {item.reason}"
        console.print(f"failed: {text}", style="red", markup=False)
    if failed:
        raise typer.Exit(PARTLY_FAILED)
