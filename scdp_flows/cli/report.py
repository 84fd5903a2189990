"""Write a report of what the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scdp_flows.cli.options import DatasetOption, StoreOption, as_path
from scdp_flows.cli.running import run_here
from scdp_flows.errors import DatasetError
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.stores.factory import Stores, open_stores

__all__ = ["report"]


def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")] = Path(
        "report"
    ),
    store: StoreOption = None,
    dataset: DatasetOption = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "Predicted densities",
) -> None:
    """Write evaluations, restarts and models of the store to a page and a JSON file."""
    with open_stores(as_path(store)) as stores:
        evaluation_ids, seed_ids = _contents(stores, dataset)
    maker = ReportMaker(folder=str(output), title=title, store_path=as_path(store))
    doc = run_here(maker.make(evaluation_ids=evaluation_ids, seed_ids=seed_ids), store)
    for file in doc.files:
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
