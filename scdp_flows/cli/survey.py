"""Show what existing runs offer before anything is moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scdp_flows.cli.options import parse_pairs
from scdp_flows.cli.running import show_table
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.survey import survey_folder, survey_store
from scdp_flows.schemas.survey import SurveyReport
from scdp_flows.stores.factory import store_from_spec

__all__ = ["survey"]

_COLUMNS = ("potentials", "functional", "ENCUT (eV)", "ISPIN", "+U (eV)", "runs", "with density",
            "atoms", "largest", "MB", "missing (core h)")  # fmt: skip


def survey(
    folder: Annotated[Path | None, typer.Argument(help="Folder that holds runs.")] = None,
    job_docs: Annotated[
        list[str] | None,
        typer.Option(
            help="Store of job documents in place of a folder, as NAME=VALUE: type=MongoStore, "
            "database, collection_name, host, ..."
        ),
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option(help="Query of the job documents, as FIELD=VALUE.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the result to this file, too.")] = None,
) -> None:
    """Show which runs hold densities, and what those that hold none would cost."""
    if (folder is None) == (job_docs is None):
        raise SettingsError("give either a folder or --job-docs")
    if folder is not None:
        report = survey_folder(folder)
    else:
        with store_from_spec(parse_pairs(job_docs, "--job-docs")) as store:
            report = survey_store(store, parse_pairs(query, "--query"))
    if json is not None:
        json.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _show(report)


def _show(report: SurveyReport) -> None:
    """Print tables and remarks."""
    rows = [
        (
            ", ".join(group.potcars),
            group.functional,
            group.encut_ev,
            group.ispin,
            "/".join(f"{u:g}" for u in group.hubbard_u_ev) or None,
            group.n_runs,
            group.n_with_density,
            group.n_atoms,
            group.largest,
            round(group.density_bytes / 1e6, 1),
            group.missing_core_hours,
        )
        for group in report.groups
    ]
    show_table(f"runs in {report.place}", _COLUMNS, rows)
    if report.trainable:
        show_table("what may be trained on", ("kind", "densities"), report.trainable.items())
    if report.other_densities:
        show_table("other densities", ("format", "files"), report.other_densities.items())
    console = Console(stderr=True, soft_wrap=True)
    remarks = [
        *(f"several potentials, not to be mixed: {text}" for text in report.conflicts),
        *(f"unreadable: {text}" for text in report.unreadable),
        *(f"unusable CHGCAR: {text}" for group in report.groups for text in group.problems),
    ]
    for text in remarks:
        console.print(text, markup=False)
