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
from scdp_flows.dft.abinit import AbinitCode, AbinitSettings
from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode, PyscfCrystalSettings
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.compare_seeds import CompareSeedsMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.dft.base import DftCode

__all__ = ["Dft", "seed"]

_OF_MAKER = ("limit", "n_processes", "audit_fraction", "other_functional")
_MOST_NAMED = 3


class Dft(StrEnum):
    """Name the DFT codes that the command line knows."""

    PYSCF = "pyscf"
    PYSCF_CRYSTALS = "pyscf-crystals"
    ESPRESSO = "espresso"
    ABINIT = "abinit"


_PSEUDOPOTENTIAL = {Dft.ESPRESSO: "Si.pbe-rrkj.UPF", Dft.ABINIT: "Si.psp8"}


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
            "title (of the comparison in scdp report seeding, which shows the latest of each), "
            "or a setting of the code such as basis, ecutwfc_ry or ecut_ha.",
        ),
    ] = None,
    model: ModelsOption = None,
    dataset: DatasetOption = None,
    store: StoreOption = None,
) -> None:
    """Converge structures from the default, atomic, predicted and exact densities and compare.

    What each start saves is summed up in the store, unless nothing was computed unseeded.
    """
    given = parse_pairs(set_, "--set")
    title = given.pop("title", None) or _title(dft, structures or (), dataset)
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
    show_table(
        f"restarts of {len(output.seed_ids)} structures", ("start", "mean SCF iterations"), rows
    )
    if "default" in output.mean_iterations:
        summing = CompareSeedsMaker(title=str(title), store_path=as_path(store))
        run_here(summing.make([output], maker.code), store)
    show_failures(output.failed)


def _title(dft: Dft, files: Sequence[Path], dataset: str | None) -> str:
    """Name a comparison after what was computed."""
    names = [file.name.split(".")[0] for file in files] + ([dataset] if dataset else [])
    more = len(names) - _MOST_NAMED
    listed = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{dft.value}: {listed}"


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
            example = json.dumps({"Si": _PSEUDOPOTENTIAL[dft]})
            raise SettingsError(f"--dft {dft.value} needs --set 'pseudopotentials={example}'")
        if dft is Dft.ABINIT:
            return AbinitCode(AbinitSettings(**given))
        return EspressoCode(EspressoSettings(**given))
    except TypeError as error:
        raise SettingsError(f"--dft {dft.value}, --set: {error}") from error
