"""Look after the stores."""

from __future__ import annotations

from typing import Annotated

import typer

from scdp_flows.cli.options import StoreOption, as_path
from scdp_flows.cli.running import PARTLY_FAILED, show_table
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.garbage import DEFAULT_GRACE_S, collect_garbage

__all__ = ["store"]

store = typer.Typer(name="store", help="Look after the stores.", no_args_is_help=True)

_SECONDS_PER_HOUR = 3600.0


@store.callback()
def main() -> None:
    """Look after the stores."""


@store.command("check", epilog="Example: scdp store check --store data")
def check(
    store: StoreOption = None,
    quick: Annotated[bool, typer.Option(help="Do not read the contents of blobs.")] = False,
) -> None:
    """Look for missing, damaged and unreadable things, and say what to do about them."""
    with open_stores(as_path(store)) as stores:
        found = check_stores(stores, contents=not quick)
    counts = (found.n_documents, found.n_blobs, found.n_orphans, len(found.problems))
    show_table("store", ("documents", "blobs", "blobs without document", "problems"), [counts])
    if found.problems:
        show_table("problems", ("what", "where", "why", "what to do"), found.problems)
        raise typer.Exit(PARTLY_FAILED)


@store.command("gc", epilog="Example: scdp store gc --store data --dry-run")
def collect(
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")] = False,
    grace_hours: Annotated[
        float,
        typer.Option(min=0, help="Leave alone what was used in the last hours: more than any step"),
    ] = DEFAULT_GRACE_S / _SECONDS_PER_HOUR,
) -> None:
    """Remove arrays and files that no document refers to; others may write meanwhile."""
    with open_stores(as_path(store)) as stores:
        found = collect_garbage(stores, grace_s=grace_hours * _SECONDS_PER_HOUR, dry_run=dry_run)
    done = "would be removed" if dry_run else "removed"
    columns = ("blobs", "in use", "too young to judge", done, "leftovers cleared")
    show_table("garbage", columns, [found])
