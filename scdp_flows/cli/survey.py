"""Show what existing runs offer before anything is moved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scdp_flows.cli.options import parse_pairs
from scdp_flows.cli.running import show_table
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.ingest_job_settings import read_job_store_settings
from scdp_flows.jobs.survey import ARCHIVE, survey_folder, survey_store
from scdp_flows.schemas.survey import SurveyGroup, SurveyReport
from scdp_flows.stores.factory import store_from_spec

__all__ = ["survey"]

_COLUMNS = ("potentials", "functional", "ENCUT (eV)", "ISPIN", "+U (eV)", "runs", "with density",
            "atoms", "largest", "MB", "missing (core h)")  # fmt: skip


def survey(
    place: Annotated[
        Path | None, typer.Argument(help="Folder that holds runs, or jobflow.yaml.")
    ] = None,
    job_docs: Annotated[
        list[str] | None,
        typer.Option(
            help="Store of job documents in place of those, as NAME=VALUE: type=MongoStore, "
            "database, collection_name, host, ..."
        ),
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option(help="Query of the job documents, as FIELD=VALUE.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the result to this file, too.")] = None,
) -> None:
    """Show which runs hold densities, and what those that hold none would cost."""
    if (place is None) == (job_docs is None):
        raise SettingsError("give either a folder or jobflow.yaml, or --job-docs")
    if place is not None and place.expanduser().is_dir():
        report = survey_folder(place)
    else:
        spec = parse_pairs(job_docs, "--job-docs")
        spec = read_job_store_settings(place).job_docs if place is not None else spec
        with store_from_spec(spec) as store:
            report = survey_store(store, parse_pairs(query, "--query"))
    if json is not None:
        json.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    _show(report)


def _show(report: SurveyReport) -> None:
    """Print tables and remarks."""
    if report.groups:
        show_table(f"runs in {report.place}", _COLUMNS, map(_row, report.groups))
    typer.echo(_summary(report))
    if report.trainable:
        columns = ("functional, potentials, cut-off", "densities", "elements")
        rows = [
            (name, count, " ".join(report.trainable_elements.get(name, ())))
            for name, count in report.trainable.items()
        ]
        show_table("what could be trained: one dataset for each line", columns, rows)
    if report.other_densities:
        title = "files of densities without the log of a run: 'scdp ingest' needs their --kind"
        show_table(title, ("format", "files"), report.other_densities.items())
    if ARCHIVE in report.other_densities:
        typer.echo("Archives were not opened; 'scdp ingest' takes them one by one, by their names.")
    console = Console(stderr=True, soft_wrap=True)
    remarks = [
        *(f"several potentials, not to be mixed: {text}" for text in report.conflicts),
        *(f"unreadable: {text}" for text in report.unreadable),
        *(f"unusable CHGCAR: {text}" for group in report.groups for text in group.problems),
    ]
    for text in remarks:
        console.print(text, markup=False)


def _row(group: SurveyGroup) -> tuple[object, ...]:
    """Return the cells of a group of runs."""
    return (
        ", ".join(group.potcars) or None,
        group.functional,
        group.encut_ev,
        group.ispin,
        "/".join(f"{u:g}" for u in group.hubbard_u_ev) or None,
        group.n_runs,
        group.n_with_density,
        group.n_atoms,
        group.largest,
        round(group.density_bytes / 1e6, 1) if group.density_bytes else None,
        group.missing_core_hours,
    )


def _summary(report: SurveyReport) -> str:
    """Say in a sentence what is there and what is missing."""
    if not report.n_runs:
        return "No folder holds the log of a run."
    n_missing = report.n_runs - report.n_with_density
    if not n_missing:
        return f"All {report.n_runs} runs hold a density."
    cost = report.missing_core_hours
    price = "no log tells at what cost" if cost is None else f"about {cost:.3g} core hours in all"
    return (
        f"{report.n_with_density} of {report.n_runs} runs hold a usable density. Missing: "
        f"{n_missing}; one static calculation with LCHARG=True each, {price}."
    )
