"""Predict densities and write them to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scdp_flows.cli.options import as_path, read_all
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.io.structures import AtomicStructure
from scdp_flows.jobs.predict import PredictMaker
from scdp_flows.predictors.ensemble import EnsemblePredictor
from scdp_flows.predictors.scdp import DEFAULT_MODEL, ScdpPredictor
from scdp_flows.schemas.outputs import PredictedRow, PredictionOutput
from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from scdp_flows.predictors.base import Predictor

__all__ = ["predict"]

_COLUMNS = (
    "structure",
    "formula",
    "electrons / e",
    "dipole / e Å",
    "disagreement / mHa per atom",
    "time / s",
    "files",
)


def predict(
    structures: Annotated[list[Path], typer.Argument(help="xyz, extended xyz, CIF or POSCAR.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Name, identifier or .safetensors file; repeated: the mean of these models, and "
            f"how far they disagree; default: {DEFAULT_MODEL}.",
        ),
    ] = None,
    format: Annotated[  # noqa: A002 - the word users expect
        list[str] | None,
        typer.Option("--format", "-f", help="chgcar or cube; may be repeated; default: both."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the files; made when missing.")
    ] = Path(),
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of stores to keep the predictions in; default: not kept."),
    ] = None,
    spacing: Annotated[float, typer.Option(help="Spacing of the grids in Å.")] = 0.16,
) -> None:
    """Predict the densities of structures and write them to files."""
    named = read_all(structures)
    maker = PredictMaker(
        predictor=_predictor(model or [DEFAULT_MODEL], as_path(store)),
        formats=format or ["chgcar", "cube"],
        folder=str(output.absolute()),
        spacing=spacing,
    )
    if store is None:
        with scratch_folder("scdp-predict-") as folder:
            found = _run(maker, named, folder)
    else:
        found = _run(maker, named, store)
    show_table("predictions", _COLUMNS, [_row(row) for row in found.rows])
    show_failures(found.failed)


def _run(maker: PredictMaker, named: dict[str, AtomicStructure], store: Path) -> PredictionOutput:
    job = maker.in_store(str(store)).make(list(named.values()), names=list(named))
    found: PredictionOutput = run_here(job, store)
    return found


def _predictor(models: list[str], store: str | None) -> Predictor:
    if len(models) == 1:
        return ScdpPredictor(models[0], store_path=store)
    return EnsemblePredictor(models, store_path=store)


def _row(row: PredictedRow) -> tuple[object, ...]:
    files = "\n".join(_short(Path(file)) for file in row.files)
    spread = row.uncertainty_ha_per_atom
    return (
        row.name,
        row.formula,
        f"{row.n_electrons:.4f}",
        row.dipole_e_ang,
        None if spread is None else 1e3 * spread,
        row.seconds,
        files,
    )


def _short(file: Path) -> str:
    """Return the path from here, if the file lies below."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
