"""Evaluate models on stored labels."""

from __future__ import annotations

from collections.abc import Sequence
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
)
from scdp_flows.cli.running import run_here, show_table
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL
from scdp_flows.stores.factory import open_stores

__all__ = ["evaluate", "show_evaluations"]

_METRICS = {
    "nmae_percent": "NMAE / %",
    "coulomb_error_ha": "Coulomb error / Ha",
    "electron_error_e": "electrons / e",
    "dipole_error_e_ang": "dipole / e Å",
    "seconds": "time / s",
}


def evaluate(
    model: ModelsOption = None,
    dataset: DatasetOption = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    store: StoreOption = None,
    processes: ProcessesOption = None,
) -> None:
    """Measure the errors of models on a split of a dataset, superposed atoms beside them."""
    maker = EvaluateMaker(store_path=as_path(store), n_processes=processes)
    chosen = predictors(model or [DEFAULT_MODEL], store)
    output = run_here(maker.make(chosen, dataset_id=dataset, split=split), store)
    show_evaluations(output.evaluation_ids, store)


def show_evaluations(evaluation_ids: Sequence[str], store: Path | None) -> None:
    """Print the mean errors of some evaluations.

    Parameters
    ----------
    evaluation_ids
        Their identifiers.
    store
        Folder of the embedded stores.
    """
    if not evaluation_ids:
        return
    with open_stores(as_path(store)) as stores:
        docs = [stores.reports.evaluations.get(key) for key in evaluation_ids]
    rows = []
    for doc in docs:
        means = [doc.summary[m].mean if m in doc.summary else None for m in _METRICS]
        rows.append((doc.predictor, len(doc.rows), *means))
    columns = ("predictor", "structures", *_METRICS.values())
    show_table("mean magnitude of the errors", columns, rows)
