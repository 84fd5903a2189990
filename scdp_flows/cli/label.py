"""Label molecules and crystals with PySCF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pymatgen.core import Structure

from scdp_flows.cli.options import ProcessesOption, StoreOption, as_path, parse_pairs, read_all
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode, PyscfCrystalSettings
from scdp_flows.errors import SettingsError
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.jobs.label import LabelMaker

__all__ = ["label", "pyscf_code"]


def label(
    structures: Annotated[list[Path], typer.Argument(help="xyz, extended xyz, CIF or POSCAR.")],
    store: StoreOption = None,
    processes: ProcessesOption = None,
    tag: Annotated[list[str] | None, typer.Option(help="Free label; may be repeated.")] = None,
    fit_basis: Annotated[
        str | None,
        typer.Option(help="Gaussian shells of the fit; lean, or crystal where it is periodic."),
    ] = None,
    dft: Annotated[
        list[str] | None,
        typer.Option(
            help="Setting of PySCF as NAME=VALUE, such as basis=gth-dzvp, spacing=0.2 or, for "
            "crystals, kpoints=[2,2,2]."
        ),
    ] = None,
) -> None:
    """Compute the densities of structures with PySCF and store them; none is computed twice.

    All of them are molecules, or all are crystals, which are computed with k-points.
    """
    found = list(read_all(structures).values())
    crystals = any(isinstance(one, Structure) for one in found)
    maker = LabelFlowMaker(
        label_maker=LabelMaker(
            code=pyscf_code(dft, crystals=crystals),
            basis=fit_basis or ("crystal" if crystals else "lean"),
            n_processes=processes,
        ),
        store_path=as_path(store),
    )
    output = run_here(maker.make(found, tags=tag or ()), store)
    counts = (output.n_new, output.n_reused, output.n_failed, output.seconds)
    show_table("labels", ("new", "stored before", "failed", "time / s"), [counts])
    show_failures(output.failed)


def pyscf_code(pairs: list[str] | None, *, crystals: bool = False) -> PyscfCode | PyscfCrystalCode:
    """Return the DFT code with settings given as ``NAME=VALUE``.

    Parameters
    ----------
    pairs
        The settings.
    crystals
        Whether structures are periodic.

    Raises
    ------
    SettingsError
        If a setting is unknown or impossible.
    """
    settings = PyscfCrystalSettings if crystals else PyscfSettings
    given = parse_pairs(pairs, "--dft")
    try:
        if crystals:
            return PyscfCrystalCode(PyscfCrystalSettings(**given))
        return PyscfCode(PyscfSettings(**given))
    except TypeError as error:
        known = ", ".join(settings.__dataclass_fields__)
        raise SettingsError(f"--dft: {error}; known: {known}") from error
