"""Fit stored densities so that models can be trained on them."""

from __future__ import annotations

from typing import Annotated

import typer

from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.jobs.fit_stored import FitMaker
from scdp_flows.schemas.outputs import LabelOutput
from scdp_flows.stores.factory import open_stores

__all__ = ["fit"]


def fit(
    select: Annotated[
        list[str] | None,
        typer.Option(help="Which densities, as FIELD=VALUE; repeatable. Default: all."),
    ] = None,
    basis: Annotated[str, typer.Option(help="Basis, such as lean+small.")] = "lean+small",
    electrons: Annotated[
        list[str] | None,
        typer.Option(help="Valence electrons of a neutral atom, as SYMBOL=NUMBER; repeatable."),
    ] = None,
    store: StoreOption = None,
) -> None:
    """Fit the stored densities of crystals that have no fit, as training needs it."""
    given = parse_pairs(electrons, "--electrons")
    maker = FitMaker(
        basis=basis,
        electrons={symbol: float(number) for symbol, number in given.items()} or None,
        store_path=as_path(store),
    )
    work = maker.make(criteria=parse_pairs(select, "--select"))
    output: LabelOutput = run_here(work, store)
    with open_stores(as_path(store)) as stores:
        docs = [stores.densities.get(density_id) for density_id in output.density_ids]
    rows = [
        (doc.formula, doc.n_atoms, f"{doc.fit.nmae_percent:.2f}")
        for doc in docs
        if doc.fit is not None and doc.fit.nmae_percent is not None
    ]
    show_table(f"{output.n_new} fitted", ("formula", "atoms", "error of the fit (%)"), rows)
    show_failures(output.failed)
