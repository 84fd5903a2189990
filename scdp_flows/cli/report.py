"""Write a report of what the store holds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scdp_flows.cli.options import DatasetOption, StoreOption, as_path
from scdp_flows.cli.running import run_here, show_table
from scdp_flows.errors import DatasetError
from scdp_flows.jobs.report import ReportMaker, SeedingReportMaker
from scdp_flows.stores.factory import Stores, open_stores

__all__ = ["Subject", "report"]


class Subject(StrEnum):
    """Name what a report can be about."""

    ALL = "all"
    SEEDING = "seeding"


def report(
    subject: Annotated[
        Subject, typer.Argument(help="Everything, or what the benchmarks of starts say.")
    ] = Subject.ALL,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path(
        "report"
    ),
    store: StoreOption = None,
    dataset: DatasetOption = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "Predicted densities",
) -> None:
    """Write evaluations, restarts and models of the store to a page and a JSON file."""
    if subject is Subject.SEEDING:
        _seeding(output, store)
        return
    with open_stores(as_path(store)) as stores:
        evaluation_ids, seed_ids = _contents(stores, dataset)
    maker = ReportMaker(folder=str(output), title=title, store_path=as_path(store))
    doc = run_here(maker.make(evaluation_ids=evaluation_ids, seed_ids=seed_ids), store)
    for file in doc.files:
        typer.echo(Path(maker.folder) / file)


def _seeding(folder: Path, store: Path | None) -> None:
    """Report the benchmarks of starts, the latest of each name."""
    # matplotlib comes with it.
    from scdp_flows.reports.seeding import SEEDING_COLUMNS, seeding_cells

    with open_stores(as_path(store)) as stores:
        found = sorted(stores.reports.benchmarks.query(), key=lambda d: d.provenance.created_at)
    if not found:
        raise DatasetError(
            "the store holds no benchmark of starts; run scdp seed with an audit_fraction above 0, "
            "or SeedingBenchmarkMaker"
        )
    latest = list({doc.name: doc for doc in found}.values())
    maker = SeedingReportMaker(folder=str(folder), store_path=as_path(store))
    for doc in latest:
        headings = ["start", *(column.heading for column in SEEDING_COLUMNS)]
        show_table(doc.name, headings, seeding_cells(doc))
    written = run_here(maker.make([doc.benchmark_id for doc in latest]), store)
    for file in written.files:
        typer.echo(Path(maker.folder) / file)


def _contents(stores: Stores, dataset: str | None) -> tuple[list[str], list[str]]:
    """Return the evaluations and restarts of one dataset, or all."""
    criteria, labels = {}, None
    if dataset is not None:
        doc = stores.datasets.get(dataset)
        criteria["dataset_id"] = doc.dataset_id
        labels = {member.density_id for member in doc.members}
    evaluations = [doc.evaluation_id for doc in stores.reports.evaluations.query(criteria)]
    seeds = [
        doc.seed_id
        for doc in stores.reports.seeds.query()
        if labels is None or doc.density_id in labels
    ]
    if not evaluations and not seeds:
        raise DatasetError(
            f"{stores.path} holds no evaluations and no restarts"
            f"{f' of dataset {dataset!r}' if dataset else ''}; run scdp evaluate or scdp seed first"
        )
    return evaluations, seeds
