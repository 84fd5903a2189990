"""Restart PySCF from predicted densities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scdp_flows.cli.options import (
    DatasetOption,
    ModelsOption,
    ProcessesOption,
    StoreOption,
    as_path,
    predictors,
    read_all,
)
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL

__all__ = ["seed"]


def seed(
    structures: Annotated[list[Path] | None, typer.Argument(help="Files of structures.")] = None,
    model: ModelsOption = None,
    dataset: DatasetOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most test structures of the dataset.")
    ] = None,
    store: StoreOption = None,
    processes: ProcessesOption = None,
) -> None:
    """Converge structures from the default, atomic, predicted and exact densities and compare."""
    maker = SeedMaker(
        code=PyscfCode(), limit=limit, n_processes=processes, store_path=as_path(store)
    )
    job = maker.make(
        list(read_all(structures or ()).values()),
        dataset_id=dataset,
        predictors=predictors(model or [DEFAULT_MODEL], store),
    )
    output = run_here(job, store)
    rows = list(output.mean_iterations.items())
    title = f"restarts of {len(output.seed_ids)} structures"
    show_table(title, ("start", "mean SCF iterations"), rows)
    show_failures(output.failed)
