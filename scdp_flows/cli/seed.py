"""Restart DFT from predicted densities."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scdp_flows.cli.options import (
    DatasetOption,
    ModelsOption,
    StoreOption,
    as_path,
    parse_pairs,
    predictors,
    read_all,
)
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode, PyscfCrystalSettings
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL

if TYPE_CHECKING:
    from scdp_flows.dft.base import DftCode

__all__ = ["Dft", "seed"]

_OF_MAKER = ("limit", "n_processes", "audit_fraction", "other_functional")


class Dft(StrEnum):
    """Name the DFT codes that the command line knows."""

    PYSCF = "pyscf"
    PYSCF_CRYSTALS = "pyscf-crystals"
    ESPRESSO = "espresso"


def seed(
    structures: Annotated[list[Path] | None, typer.Argument(help="Files of structures.")] = None,
    *,
    dft: Annotated[Dft, typer.Option(help="What computes.")] = Dft.PYSCF,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE, may be repeated: limit (most test structures of the dataset), "
            "n_processes, audit_fraction (share that is computed unseeded too), other_functional, "
            "or a setting of the code such as basis or ecutwfc_ry.",
        ),
    ] = None,
    model: ModelsOption = None,
    dataset: DatasetOption = None,
    store: StoreOption = None,
) -> None:
    """Converge structures from the default, atomic, predicted and exact densities and compare."""
    given = parse_pairs(set_, "--set")
    own = {name: given.pop(name) for name in _OF_MAKER if name in given}
    maker = SeedMaker(code=_code(dft, given), store_path=as_path(store), **own)
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


def _code(dft: Dft, given: dict[str, Any]) -> DftCode:
    """Return the code with its settings.

    Raises
    ------
    SettingsError
        If there is no such setting, or a needed one is missing.
    """
    try:
        if dft is Dft.PYSCF:
            return PyscfCode(PyscfSettings(**given)) if given else PyscfCode()
        for name in ("kpoints", "kshift"):
            if name in given:
                given[name] = tuple(given[name])
        if dft is Dft.PYSCF_CRYSTALS:
            return PyscfCrystalCode(PyscfCrystalSettings(**given))
        if "pseudopotentials" not in given:
            example = json.dumps({"Si": "Si.pbe-rrkj.UPF"})
            raise SettingsError(f"--dft espresso needs --set 'pseudopotentials={example}'")
        return EspressoCode(EspressoSettings(**given))
    except TypeError as error:
        raise SettingsError(f"--dft {dft.value}, --set: {error}") from error
