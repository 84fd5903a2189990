"""Look at models, and import published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import show_table
from scdp_flows.predictors.checkpoints import shipped_models
from scdp_flows.predictors.published import PARITY_NOTE, import_published
from scdp_flows.settings import get_settings
from scdp_flows.stores.factory import open_stores

__all__ = ["model"]

model = typer.Typer(
    name="model", help="Look at models, and import published ones.", no_args_is_help=True
)

_NETWORK = ("n_layers", "lmax", "mmax", "n_channels", "n_hidden", "scale_exponents")
_COLUMNS = ("name", "from", "identifier", "elements", "metrics", "trained")


@model.callback()
def main() -> None:
    """Look at models, and import published ones."""


@model.command("list", epilog="Example: scdp model list --store data")
def list_models(store: StoreOption = None) -> None:
    """List the models of the store and those that ship with the package."""
    rows: list[tuple[object, ...]] = [
        (name, "package", None, None, None, None) for name in shipped_models()
    ]
    folder = get_settings().STORE_PATH if store is None else store
    # Looking must not leave an empty store behind.
    if (store is None and get_settings().MODEL_STORE is not None) or folder.is_dir():
        with open_stores(as_path(store)) as stores:
            for doc in stores.models.query():
                metrics = ", ".join(f"{key} {value:.3g}" for key, value in doc.metrics.items())
                made = doc.provenance.created_at[:16]
                elements = " ".join(doc.elements)
                rows.append((doc.name, "store", doc.model_id[:16], elements, metrics, made))
    show_table("models", _COLUMNS, rows)


@model.command("import", epilog="Example: scdp model import runs/qm9_k8l6 --name k8l6 --store data")
def import_model(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Run directory of the official code: *.ckpt, config.yaml, metadata.json."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: that of the folder.")
    ] = None,
    ema: Annotated[
        bool, typer.Option("--ema/--no-ema", help="Take the moving averages of the weights.")
    ] = True,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Field of the density kind as NAME=VALUE where it differs from VASP, PAW-PBE "
            "valence, PBE, 400 eV, such as basis=520eV; may be repeated."
        ),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Turn a model of the official SCDP code into one of the store; no code of it is run."""
    with open_stores(as_path(store)) as stores:
        imported = import_published(
            folder,
            stores,
            name=name or folder.resolve().name,
            kind={key: str(value) for key, value in parse_pairs(kind, "--kind").items()},
            use_ema=ema,
        )
    doc = imported.doc
    rows: list[tuple[object, ...]] = [("name", doc.name), ("identifier", doc.model_id)]
    rows += [("elements", " ".join(doc.elements))]
    rows += [(setting, imported.settings[setting]) for setting in _NETWORK]
    rows += [("weights", "moving averages" if ema else "raw")]
    rows += [("kind", ", ".join(f"{key} {value}" for key, value in doc.kind.items() if value))]
    show_table("imported model", ("", ""), rows)
    typer.echo(PARITY_NOTE)
