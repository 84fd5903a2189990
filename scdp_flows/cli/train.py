"""Train a model on stored labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from scdp_flows.cli.evaluate import show_evaluations
from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_table
from scdp_flows.errors import UnknownNameError
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.jobs.training_configuration import setting_names
from scdp_flows.stores.factory import open_stores

__all__ = ["train"]

_DATASET = ("target", "keep_grid", "shard_size")
# A setting of the network that is unstable when learnt from the start.
_STAGES = "scale_exponents"


def train(
    store: StoreOption = None,
    name: Annotated[str, typer.Option(help="Name of the model and its dataset.")] = "model",
    select: Annotated[
        list[str] | None,
        typer.Option(help="Which labels, as FIELD=VALUE, such as tags=mine; default: all."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Named settings of basis, network and training, such as K8L6-b1.3-vo-sf, which "
            "is published, or small-vo."
        ),
    ] = None,
    basis: Annotated[
        str | None,
        typer.Option(
            help="Gaussian shells that the model predicts; default: the preset's, or lean."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Setting as NAME=VALUE: of the network (n_layers, n_channels, lmax, ...), of the "
            "training (n_steps, batch_size, learning_rate, ...), of the dataset (validation, test, "
            "test_tag, target, keep_grid). scale_exponents=true adds a second stage that learns to "
            "scale the exponents, scale_exponents=false leaves out that of a preset.",
        ),
    ] = None,
) -> None:
    """Build a dataset, train a model and evaluate it; an interrupted training goes on."""
    maker = _flow_maker(name, preset, parse_pairs(set_, "--set"), basis=basis)
    flow = replace(maker, store_path=as_path(store)).make(criteria=parse_pairs(select, "--select"))
    output = run_here(flow, store)
    with open_stores(as_path(store)) as stores:
        doc = stores.models.get(output["model_id"])
    rows = [("name", doc.name), ("identifier", doc.model_id), ("dataset", output["dataset_id"])]
    rows += [(metric, f"{value:.4g}") for metric, value in doc.metrics.items()]
    rows += [("training time / s", f"{doc.train_seconds:.0f}")]
    show_table("model", ("", ""), rows)
    show_evaluations(output["evaluation_ids"], store)


def _flow_maker(
    name: str,
    preset: str | None,
    settings: dict[str, Any],
    *,
    basis: str | None = None,
) -> TrainFlowMaker:
    """Start from a preset, and give each setting to the Maker that it belongs to."""
    given = _by_owner(settings)
    start = _plain(name) if preset is None else TrainFlowMaker.from_preset(preset, name)
    two_stages = given["network"].pop(_STAGES, start.second_maker is not None)
    train = replace(start.train_maker, network=given["network"], training=given["training"])
    dataset = replace(
        start.dataset_maker,
        basis=basis or start.dataset_maker.basis,
        split=SplitRule(**given["split"]),
        # Scaled exponents are learnt from grids.
        **{"keep_grid": start.dataset_maker.keep_grid or two_stages, **given["dataset"]},
    )
    return replace(
        start,
        dataset_maker=dataset,
        train_maker=train,
        second_maker=train.second_stage() if two_stages else None,
    )


def _plain(name: str) -> TrainFlowMaker:
    return TrainFlowMaker(
        dataset_maker=BuildDatasetMaker(dataset_name=name),
        train_maker=TrainMaker(model_name=name),
        predictor_name=name,
    )


def _by_owner(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    owners = {**setting_names(), "split": list(SplitRule.__dataclass_fields__), "dataset": _DATASET}
    given: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for setting, value in settings.items():
        # The target is known to dataset and network; the dataset decides, the network follows.
        found = [owner for owner in reversed(owners) if setting in owners[owner]]
        if not found:
            known = [n for names in owners.values() for n in names]
            raise UnknownNameError(setting, known, what="setting")
        given[found[0]][setting] = value
    return given
