"""Start VASP from given densities: the command, its audit, and the library of occupancies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scdp_flows.cli.options import StoreOption, as_path
from scdp_flows.cli.running import show_table
from scdp_flows.errors import DensityFormatError, SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
    from scdp_flows.dft.vasp.sources import SeedSource

__all__ = ["vasp_audit", "vasp_harvest", "vasp_seed"]


def _source(
    runs: list[Path] | None, model: str | None, library: Path | None, store: Path | None
) -> SeedSource:
    """Choose the source that the options name."""
    from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
    from scdp_flows.dft.vasp.sources import PredictedSource, StoredSource
    from scdp_flows.predictors.scdp import ScdpPredictor

    if runs and model:
        raise SettingsError("--runs and --model exclude each other; choose one source of seeds")
    occupancies = as_path(library)
    if runs:
        return EarlierRunSource(tuple(str(path.absolute()) for path in runs))
    if model:
        return PredictedSource(ScdpPredictor(model, store_path=as_path(store)), occupancies)
    return StoredSource(as_path(store), library=occupancies)


def vasp_seed(
    command: Annotated[list[str], typer.Argument(help="VASP and its arguments, after --.")],
    runs: Annotated[
        list[Path] | None, typer.Option(help="Folder of earlier runs to start from; repeatable.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Model that predicts the density.")
    ] = None,
    library: Annotated[
        Path | None, typer.Option(help="File of PAW occupancies, or of a model of them.")
    ] = None,
    reseed: Annotated[
        bool, typer.Option("--reseed", help="Seed again where a restart finds the seed lost.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Seed the current folder, run VASP in it, and audit the run; for use as `vasp_cmd`.

    Without --runs and --model the density is a stored prediction of the same structure.
    """
    from scdp_flows.dft.vasp.command import run_seeded

    source = _source(runs, model, library, store)
    status = run_seeded(command, Path.cwd(), source, reseed=reseed, store_path=as_path(store))
    raise typer.Exit(status)


def vasp_audit(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished seeded runs.")],
    store: StoreOption = None,
) -> None:
    """Tell of finished runs whether they used their seeds and how many steps they took."""
    from scdp_flows.dft.vasp.auditor import record_audit

    rows = []
    for folder in folders:
        record = record_audit(folder, as_path(store))
        if record is None or record.audit is None:
            rows.append((str(folder), "", "no record", ""))
            continue
        steps = " ".join(map(str, record.audit.scf_steps))
        used = "yes" if record.audit.seed_used else str(record.audit.why_not_used)
        rows.append((str(folder), record.formula, used, steps))
    show_table("seeded runs", ("folder", "formula", "seed used", "SCF steps"), rows)


def vasp_harvest(
    folders: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    library: Annotated[Path, typer.Option("--output", "-o", help="File of the library.")] = Path(
        "occupancies.json"
    ),
    train: Annotated[
        Path | None,
        typer.Option(
            help="Learn the occupancies of the library, and write this .safetensors file."
        ),
    ] = None,
) -> None:
    """Collect the PAW occupancies of finished runs for the seeds of predicted densities."""
    from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
    from scdp_flows.dft.vasp.harvested import harvest
    from scdp_flows.dft.vasp.occupancies import MODEL_SUFFIX

    if train is not None and train.suffix != MODEL_SUFFIX:
        raise SettingsError(f"--train {train}: the file of a model ends with {MODEL_SUFFIX}")
    kept = OccupancyLibrary.read(library) if library.exists() else OccupancyLibrary(())
    rows = []
    for folder in folders:
        try:
            run = harvest(folder)
        except DensityFormatError as error:
            rows.append((str(folder), 0, str(error)))
            continue
        kept = kept.extended([run])
        rows.append((str(folder), len(run.numbers), ""))
    kept.write(library)
    show_table(f"{library}: {len(kept.runs)} runs", ("folder", "atoms", "left out"), rows)
    if train is not None:
        _train(kept, train)


def _train(library: OccupancyLibrary, path: Path) -> None:
    """Learn the occupancies of a library and say how well runs left out are predicted."""
    from scdp_flows.dft.vasp.fit import learn_occupancies

    model = learn_occupancies(library)
    model.write(path)
    rows = [
        (each.kind.title, each.kind.functional, each.n_runs, each.n_atoms, degree, *errors)
        for each in model.learned
        for degree, errors in each.head.scores.items()
    ]
    shown = [(*row[:-2], f"{row[-2]:.4f}", f"{row[-1]:.4f}") for row in rows]
    columns = ("potential", "functional", "runs", "atoms", "L", "error", "of the mean")
    show_table(f"{path}: errors (rms) of runs left out", columns, shown)
