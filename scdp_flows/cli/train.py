"""Train a model on stored labels."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scdp_flows.cli.evaluate import show_evaluations
from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_table
from scdp_flows.errors import UnknownNameError
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker, setting_names
from scdp_flows.stores.factory import open_stores

__all__ = ["train"]

_DATASET = ("target", "keep_grid", "shard_size")


def train(
    store: StoreOption = None,
    name: Annotated[str, typer.Option(help="Name of the model and its dataset.")] = "model",
    select: Annotated[
        list[str] | None,
        typer.Option(help="Which labels, as FIELD=VALUE, such as tags=mine; default: all."),
    ] = None,
    basis: Annotated[str, typer.Option(help="Gaussian shells that the model predicts.")] = "lean",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Setting as NAME=VALUE: of the network (n_layers, n_channels, lmax, ...), of the "
            "training (n_steps, batch_size, learning_rate, ...), of the dataset (validation, test, "
            "test_tag, target, keep_grid).",
        ),
    ] = None,
) -> None:
    """Build a dataset, train a model and evaluate it; an interrupted training goes on."""
    flow = _flow_maker(name, basis, parse_pairs(set_, "--set"), as_path(store)).make(
        criteria=parse_pairs(select, "--select")
    )
    output = run_here(flow, store)
    with open_stores(as_path(store)) as stores:
        doc = stores.models.get(output["model_id"])
    rows = [("name", doc.name), ("identifier", doc.model_id), ("dataset", output["dataset_id"])]
    rows += [(metric, f"{value:.4g}") for metric, value in doc.metrics.items()]
    rows += [("training time / s", f"{doc.train_seconds:.0f}")]
    show_table("model", ("", ""), rows)
    show_evaluations(output["evaluation_ids"], store)


def _flow_maker(
    name: str, basis: str, settings: dict[str, Any], store_path: str | None
) -> TrainFlowMaker:
    """Give each setting to the Maker that it belongs to."""
    owners = {**setting_names(), "split": list(SplitRule.__dataclass_fields__), "dataset": _DATASET}
    given: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for setting, value in settings.items():
        # The target is known to dataset and network; the dataset decides, the network follows.
        found = [owner for owner in reversed(owners) if setting in owners[owner]]
        if not found:
            known = [n for names in owners.values() for n in names]
            raise UnknownNameError(setting, known, what="setting")
        given[found[0]][setting] = value
    return TrainFlowMaker(
        dataset_maker=BuildDatasetMaker(
            dataset_name=name, basis=basis, split=SplitRule(**given["split"]), **given["dataset"]
        ),
        train_maker=TrainMaker(
            model_name=name, network=given["network"], training=given["training"]
        ),
        predictor_name=name,
        store_path=store_path,
    )
