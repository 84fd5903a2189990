"""Look at models."""

from __future__ import annotations

import typer

from scdp_flows.cli.options import StoreOption, as_path
from scdp_flows.cli.running import show_table
from scdp_flows.predictors.checkpoints import shipped_models
from scdp_flows.settings import get_settings
from scdp_flows.stores.factory import open_stores

__all__ = ["model"]

model = typer.Typer(name="model", help="Look at models.", no_args_is_help=True)

_COLUMNS = ("name", "from", "identifier", "elements", "metrics", "trained")


@model.callback()
def main() -> None:
    """Look at models."""


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
