"""Measure what pw.x saves when it starts from a predicted density, all costs included.

Labels rattled and strained cells of silicon of 8, 16 and 32 atoms, at equal density of k-points,
with the norm-conserving PBE pseudopotential of Debian's quantum-espresso-data, trains the compact
network on them, and converges unseen cells from the program's own start, superposed atoms, the
prediction, the best fit in the basis of the network, and the converged density. The store is kept:
the script goes on where it was stopped. ``conv_thr`` is an energy of the whole cell: 1e-9 Ry for 8
atoms, and in proportion for more. With ``--large N`` also N cells of 64 atoms, at that threshold
and at the one for 8 atoms, which takes some minutes for each start; with ``--quick``: 2-atom cells,
no network, under a minute. With ``--augmented``: 2-atom cells with an ultrasoft pseudopotential and
with projector-augmented waves, no network; the fit of the basis stands for a perfect one. With
``--thresholds``: the converged density as a start, by the threshold of the first diagonalisation,
under a minute.

Usage: python benchmarks/seeding_espresso.py [--store FOLDER] [--seconds TRAINING]
[--large N | --quick | --augmented | --thresholds]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jobflow import run_locally
from jobflow.core.reference import find_and_resolve_references
from pymatgen.core import Lattice, Structure
from results_file import make_row, write_results
from seeding_rows import draw, print_table, rows_of

from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobflow import Job
    from results_file import Row

    from scdp_flows.dft.espresso.scf import PwRun
    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

NAME = "seeding_espresso"
LABEL_THRESHOLD_RY = 1e-7
THRESHOLD_RY = 1e-9  # of cells with up to 8 atoms
TRAINING = {"n_steps": 4000, "steps_per_round": 50, "threads": 1}
TARGETS = {
    "8 atoms": {"iterations": "-40 %", "CPU": "-15 %"},
    "64 atoms": {"iterations": "-30 %"},
    "64 atoms, conv_thr of 8": {"iterations": "-30 %"},
}
THRESHOLDS = (None, 1e-6, 1e-7, 1e-8, 1e-9)
ALONG = ((2, 1, 1), (1, 2, 1), (1, 1, 2))
ACROSS = ((2, 2, 1), (1, 2, 2), (2, 1, 2))


SILICON: dict[str, Any] = {"pseudopotentials": {"Si": "Si.pbe-rrkj.UPF"}, "ecutwfc_ry": 24.0}
ULTRASOFT: dict[str, Any] = {
    "pseudopotentials": {"C": "C.pbe-rrkjus.UPF"},
    "ecutwfc_ry": 30.0,
    "ecutrho_ry": 240.0,
}
PAW_CARBON: dict[str, Any] = {
    "pseudopotentials": {"C": "C.pbe-n-kjpaw_psl.0.1.UPF"},
    "ecutwfc_ry": 37.0,
    "ecutrho_ry": 150.0,
}
PAW_GERMANIUM: dict[str, Any] = {
    "pseudopotentials": {"Ge": "Ge.pbe-kjpaw.UPF"},
    "ecutwfc_ry": 20.0,
    "ecutrho_ry": 100.0,
}
AUGMENTED: dict[str, tuple[str, float, dict[str, Any]]] = {
    "carbon, ultrasoft": ("C", 3.567, ULTRASOFT),
    "carbon, augmented waves": ("C", 3.567, PAW_CARBON),
    "germanium, augmented waves": ("Ge", 5.66, PAW_GERMANIUM),
}


class Cell(NamedTuple):
    """A crystal, and how many conventional cells it has along each vector."""

    structure: Structure
    repeats: tuple[int, int, int]
    files: dict[str, Any] = SILICON

    def code(self, **changes: Any) -> EspressoCode:
        """Return the code with the k-points that fit the cell."""
        nx, ny, nz = (2 // n for n in self.repeats)
        settings = EspressoSettings(**self.files, kpoints=(nx, ny, nz), kshift=(1, 1, 1))
        bootstrap = self.files is not SILICON
        return EspressoCode(replace(settings, **changes), paw_bootstrap=bootstrap)


def diamond(symbol: str = "Si", side: float = 5.431) -> Structure:
    """Return the conventional cell of an element in the lattice of diamond; `side` in Å."""
    return Structure.from_spacegroup("Fd-3m", Lattice.cubic(side), [symbol], [[0, 0, 0]])


def cells(seed: int, repeats: Sequence[tuple[int, int, int]]) -> list[Cell]:
    """Return rattled cells of several sizes."""
    generator = np.random.default_rng(seed)
    crystal = diamond()
    return [Cell(rattled(crystal * one, generator), one) for one in repeats]


def rattled(structure: Structure, generator: np.random.Generator) -> Structure:
    """Displace atoms by 0.1 Å and strain the cell by up to 3 %."""
    strain = np.diag(generator.uniform(-0.03, 0.03, 3))
    shear = generator.uniform(-0.015, 0.015, 3)
    strain[[0, 0, 1], [1, 2, 2]] = strain[[1, 2, 2], [0, 0, 1]] = shear
    cell = structure.lattice.matrix @ (np.eye(3) + strain)
    moved = Structure(Lattice(cell), structure.species, structure.frac_coords)
    shifts = generator.normal(scale=0.1, size=(len(structure), 3))
    return Structure(
        moved.lattice, moved.species, moved.cart_coords + shifts, coords_are_cartesian=True
    )


class Pipeline:
    """Label, train and predict in one store.

    Parameters
    ----------
    folder
        Of the store.
    n_processes
        Crystals computed at a time.
    keeps_pictures
        Whether savings are drawn beside the results.
    """

    def __init__(self, folder: Path, n_processes: int, *, keeps_pictures: bool = True) -> None:
        self.folder, self.keeps_pictures = folder, keeps_pictures
        self.common: dict[str, Any] = {"store_path": str(folder), "n_processes": n_processes}
        self.job_store = job_store(folder)

    def execute(self, job: Job) -> Any:
        """Run one job and return its output."""
        responses = run_locally(job, store=self.job_store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def label(self, cells: list[Cell]) -> list[str]:
        """Return the identifiers of the labels."""
        ids = []
        for cell in cells:
            code = cell.code(conv_thr_ry=LABEL_THRESHOLD_RY)
            maker = LabelMaker(code=code, basis="crystal", **self.common)
            ids += self.execute(maker.make([cell.structure])).density_ids
        return ids

    def train(self, ids: list[str], seconds: int) -> ScdpPredictor:
        """Train on labels and return the predictor."""
        maker = BuildDatasetMaker(
            dataset_name=NAME, split=SplitRule(validation=0.06), **self.common
        )
        dataset = self.execute(maker.make(ids, test_ids=[]))
        train = TrainMaker(
            model_name=NAME,
            training={**TRAINING, "max_seconds": seconds},
            store_path=str(self.folder),
        )
        model = self.execute(train.make(dataset.dataset_id))
        print(f"trained {model.train_seconds:.0f} s")
        return ScdpPredictor(model.model_id, store_path=str(self.folder), name="predicted")

    def compare(
        self,
        name: str,
        cells: list[Cell],
        predictor: ScdpPredictor | None,
        *,
        fit: bool = True,
        conv_thr_ry: float | None = None,
    ) -> SeedingBenchmarkDoc:
        """Compare the starts of cells of one size; `fit` needs their labels."""
        eights = max(1.0, len(cells[0].structure) / 8)
        code = cells[0].code(conv_thr_ry=conv_thr_ry or THRESHOLD_RY * eights)
        maker = SeedingBenchmarkMaker(
            name=f"pw.x, {name}",
            seed_maker=SeedMaker(code=code, fit_start=fit, **self.common),
            report_maker=None,
        )
        structures = [cell.structure for cell in cells]
        given: dict[str, Any] = {"predictors": () if predictor is None else predictor}
        if fit:
            flow = maker.make(density_ids=self.label(cells), **given)
        else:
            flow = maker.make(structures, **given)
        run_locally(flow, store=self.job_store, ensure_success=True, log=False)
        doc: SeedingBenchmarkDoc = find_and_resolve_references(flow.output, self.job_store)
        print_table(doc)
        if self.keeps_pictures:
            draw(doc, self.folder, f"{NAME}_{name.replace(',', '').replace(' ', '_')}")
        return doc


def measure_quickly(processes: int) -> None:
    """Compare the starts of two small cells, without a network."""
    generator = np.random.default_rng(0)
    primitive = diamond().get_primitive_structure()
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder), processes, keeps_pictures=False)
        two = [Cell(rattled(primitive, generator), (2, 2, 2)) for _ in range(2)]
        pipeline.compare("2 atoms", two, None)


def measure_augmented(folder: Path, processes: int) -> list[Row]:
    """Compare the starts of small cells by kind of pseudopotential."""
    rows: list[Row] = []
    for name, (symbol, side, files) in AUGMENTED.items():
        generator = np.random.default_rng(3)
        primitive = diamond(symbol, side).get_primitive_structure()
        chosen = [Cell(rattled(primitive, generator), (1, 1, 1), files) for _ in range(4)]
        # The basis of crystals has no germanium.
        doc = Pipeline(folder, processes).compare(name, chosen, None, fit=symbol != "Ge")
        rows += rows_of(doc, prefix=f"{name}, ", builds="h_psi calls")
    return rows


def measure_thresholds() -> list[Row]:
    """Start 8-atom cells from their converged densities by thresholds of the program."""
    rows: list[Row] = []
    counts: dict[str, list[PwRun]] = {}
    for cell in divided_cells()[1][:2]:
        settings = cell.code().settings
        crystal = as_crystal(cell.structure, settings)
        default = run_scf(crystal, settings)
        counts.setdefault("own guess", []).append(default)
        for threshold in THRESHOLDS:
            name = "converged density, " + (f"{threshold:.0e}" if threshold else "default")
            run = run_scf(crystal, settings, default.final, diago_thr_init=threshold)
            counts.setdefault(name, []).append(run)
    for name, runs in counts.items():
        found = {
            "iterations": fmean(run.iterations for run in runs),
            "h_psi calls": fmean(run.hamiltonian_calls for run in runs),
            "CPU": fmean(run.cpu_s for run in runs),
        }
        print(f"{name:30}", "  ".join(f"{value:7.2f}" for value in found.values()))
        rows += [make_row(f"{name}: {key}", value, "s" if key == "CPU" else "")
                 for key, value in found.items()]  # fmt: skip
    return rows


def divided_cells() -> tuple[list[Cell], list[Cell], list[Cell]]:
    """Return the cells to train on, and unseen ones of 8 and of 16 atoms."""
    small, middle = cells(0, [(1, 1, 1)] * 38), cells(1, ALONG * 4)
    long = [one for one in ALONG for _ in range(5)]
    wide = [one for one in ACROSS for _ in range(2)]
    sorted_middle = [middle[3 * n + axis] for axis in range(3) for n in range(4)]
    seen = [*small[:32], *sorted_middle[:10], *cells(5, [*long, *wide])]
    return seen, small[32:], sorted_middle[10:]


def measure(folder: Path, seconds: int, processes: int, n_large: int) -> Iterator[list[Row]]:
    """Label, train and compare; yield the rows of the results of each size."""
    pipeline = Pipeline(folder, processes)
    seen, small, middle = divided_cells()
    predictor = pipeline.train(pipeline.label(seen), seconds)
    large = cells(2, [(2, 2, 2)] * n_large)
    groups: list[tuple[str, list[Cell], dict[str, Any]]] = [
        ("8 atoms", small, {}),
        ("16 atoms", middle, {}),
        ("64 atoms", large, {"fit": False}),
        ("64 atoms, conv_thr of 8", large, {"fit": False, "conv_thr_ry": THRESHOLD_RY}),
    ]
    for name, chosen, changes in groups:
        if chosen:
            doc = pipeline.compare(name, chosen, predictor, **changes)
            targets = TARGETS.get(name, {})
            yield rows_of(doc, prefix=f"{name}, ", builds="h_psi calls", targets=targets)


def main() -> None:
    """Run all steps and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("espresso_store"))
    parser.add_argument("--seconds", type=int, default=2400)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--large", type=int, default=0, help="how many cells of 64 atoms")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--augmented", action="store_true")
    parser.add_argument("--thresholds", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        measure_quickly(arguments.processes)
        return
    if arguments.thresholds:
        write_results(f"{NAME}_thresholds", measure_thresholds())
        return
    if arguments.augmented:
        rows = measure_augmented(arguments.store, arguments.processes)
        write_results(f"{NAME}_augmented", rows)
        return
    rows = []
    for some in measure(arguments.store, arguments.seconds, arguments.processes, arguments.large):
        # After every size, so that a run that is stopped leaves what it found.
        rows += some
        write_results(NAME, rows)


if __name__ == "__main__":
    main()
