"""Restart DFT from predicted densities."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scdp_flows.cli.options import (
    DatasetOption,
    ModelsOption,
    ProcessesOption,
    StoreOption,
    as_path,
    parse_pairs,
    predictors,
    read_all,
)
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL

if TYPE_CHECKING:
    from scdp_flows.dft.base import DftCode

__all__ = ["Dft", "seed"]


class Dft(StrEnum):
    """Name the DFT codes that the command line knows."""

    PYSCF = "pyscf"
    ESPRESSO = "espresso"


def seed(  # noqa: PLR0913 - each is an option of the command line
    structures: Annotated[list[Path] | None, typer.Argument(help="Files of structures.")] = None,
    *,
    dft: Annotated[Dft, typer.Option(help="What computes.")] = Dft.PYSCF,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting of the code as NAME=VALUE; may be repeated."),
    ] = None,
    model: ModelsOption = None,
    dataset: DatasetOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most test structures of the dataset.")
    ] = None,
    audit: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Share of the structures that are computed unseeded too."
        ),
    ] = 1.0,
    store: StoreOption = None,
    processes: ProcessesOption = None,
) -> None:
    """Converge structures from the default, atomic, predicted and exact densities and compare."""
    maker = SeedMaker(
        code=_code(dft, setting),
        limit=limit,
        n_processes=processes,
        audit_fraction=audit,
        store_path=as_path(store),
    )
    chosen = model or ([DEFAULT_MODEL] if dft is Dft.PYSCF else [])
    job = maker.make(
        list(read_all(structures or ()).values()),
        dataset_id=dataset,
        predictors=predictors(chosen, store),
    )
    output = run_here(job, store)
    rows = list(output.mean_iterations.items())
    title = f"restarts of {len(output.seed_ids)} structures"
    show_table(title, ("start", "mean SCF iterations"), rows)
    show_failures(output.failed)


def _code(dft: Dft, setting: list[str] | None) -> DftCode:
    """Return the code with its settings.

    Raises
    ------
    SettingsError
        If there is no such setting, or a needed one is missing.
    """
    given = parse_pairs(setting, "--set")
    try:
        if dft is Dft.PYSCF:
            return PyscfCode(PyscfSettings(**given)) if given else PyscfCode()
        if "pseudopotentials" not in given:
            example = json.dumps({"Si": "Si.pbe-rrkj.UPF"})
            raise SettingsError(f"--dft espresso needs --set 'pseudopotentials={example}'")
        for name in ("kpoints", "kshift"):
            if name in given:
                given[name] = tuple(given[name])
        return EspressoCode(EspressoSettings(**given))
    except TypeError as error:
        raise SettingsError(f"--dft {dft.value}, --set: {error}") from error
