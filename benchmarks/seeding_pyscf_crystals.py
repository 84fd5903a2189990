"""Measure what PySCF saves with k-points when it starts from a predicted density.

Labels rattled and strained two-atom cells of silicon (PBE, GTH, 2x2x2 k-points), trains the compact
network on them, and converges unseen cells from PySCF's own start, superposed atoms, the
prediction, the best fit in the basis of the network, and the converged density. Then compares one
Fock build with that of PySCF's FFTDF. The store is kept: the script goes on where it was stopped.
With ``--quick``: two cells, no network, under a minute.

Usage: python benchmarks/seeding_pyscf_crystals.py [--store FOLDER] [--seconds TRAINING]
[--train N] [--test N] [--quick]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import run_locally
from jobflow.core.reference import find_and_resolve_references
from pymatgen.core import Lattice, Structure
from results_file import make_row, write_results
from seeding_espresso import rattled
from seeding_rows import draw, print_table, rows_of

from scdp_flows.dft.pyscf_crystals import PyscfCrystalCode, PyscfCrystalSettings
from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store

if TYPE_CHECKING:
    from jobflow import Job
    from results_file import Row

    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

NAME = "seeding_pyscf_crystals"
CODE = PyscfCrystalCode(
    PyscfCrystalSettings(basis="gth-dzvp", kpoints=(2, 2, 2), ke_cutoff_ha=30.0, smearing="fermi")
)
TRAINING = {"n_steps": 3000, "steps_per_round": 50, "threads": 1}
TARGETS = {"iterations": "-30 %"}


def cells(count: int) -> list[Structure]:
    """Return rattled primitive cells."""
    generator = np.random.default_rng(7)
    crystal = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.431), ["Si"], [[0, 0, 0]])
    primitive = crystal.get_primitive_structure()
    return [rattled(primitive, generator) for _ in range(count)]


class Pipeline:
    """Label, train and compare in one store.

    Parameters
    ----------
    folder
        Of the store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.common: dict[str, Any] = {"store_path": str(folder), "n_processes": 1}
        self.job_store = job_store(folder)

    def execute(self, job: Job) -> Any:
        """Run one job and return its output."""
        responses = run_locally(job, store=self.job_store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def label(self, structures: list[Structure]) -> list[str]:
        """Return the identifiers of the labels."""
        maker = LabelMaker(code=CODE, basis="crystal", **self.common)
        found: list[str] = self.execute(maker.make(structures)).density_ids
        return found

    def train(self, ids: list[str], seconds: int) -> ScdpPredictor:
        """Train on labels and return the predictor."""
        split = SplitRule(validation=0.06)
        built = BuildDatasetMaker(dataset_name=NAME, split=split, **self.common)
        dataset = self.execute(built.make(ids, test_ids=[]))
        training = {**TRAINING, "max_seconds": seconds}
        maker = TrainMaker(model_name=NAME, training=training, store_path=str(self.folder))
        model = self.execute(maker.make(dataset.dataset_id))
        print(f"trained {model.train_seconds:.0f} s")
        return ScdpPredictor(model.model_id, store_path=str(self.folder), name="predicted")

    def compare(self, ids: list[str], predictor: ScdpPredictor | None) -> SeedingBenchmarkDoc:
        """Compare the starts of labelled cells."""
        maker = SeedingBenchmarkMaker(
            name="PySCF, silicon, 2x2x2 k-points",
            seed_maker=SeedMaker(code=CODE, fit_start=True, **self.common),
            report_maker=None,
        )
        flow = maker.make(density_ids=ids, predictors=() if predictor is None else predictor)
        run_locally(flow, store=self.job_store, ensure_success=True, log=False)
        doc: SeedingBenchmarkDoc = find_and_resolve_references(flow.output, self.job_store)
        print_table(doc)
        return doc


def fock_builds(structure: Structure) -> list[Row]:
    """Return the processor time of one Fock build, and of one by PySCF's FFTDF beside it."""
    from pyscf.pbc.dft import krks

    from scdp_flows.dft.pyscf_crystals.cell import build_cell
    from scdp_flows.dft.pyscf_crystals.scf import CrystalSystem

    system = CrystalSystem(build_cell(structure, CODE.settings), CODE.settings)
    run = system.run()
    stock = krks.KRKS(system.cell, system.kpts, xc=CODE.settings.functional)
    core = stock.get_hcore()
    start = time.process_time()
    energy = stock.energy_tot(run.dm, core, stock.get_veff(system.cell, run.dm))
    seconds = time.process_time() - start
    print(f"Fock build {run.fock_cpu_s:.3f} s, FFTDF {seconds:.3f} s CPU")
    return [
        make_row("one Fock build", 1e3 * (run.fock_cpu_s or 0.0), "ms", reference=1e3 * seconds),
        make_row("orbitals on the grid and fixed integrals", 1e3 * system.cpu_s, "ms"),
        make_row("energy less that of FFTDF", energy - run.energy_ha, "Ha"),
    ]


def main() -> None:
    """Run all steps and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("pyscf_crystals_store"))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--train", type=int, default=30)
    parser.add_argument("--test", type=int, default=6)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if arguments.quick:
        with TemporaryDirectory() as folder:
            pipeline = Pipeline(Path(folder))
            pipeline.compare(pipeline.label(cells(2)), None)
        return
    pipeline = Pipeline(arguments.store)
    structures = cells(arguments.test + arguments.train)
    unseen, seen = structures[: arguments.test], structures[arguments.test :]
    predictor = pipeline.train(pipeline.label(seen), arguments.seconds)
    doc = pipeline.compare(pipeline.label(unseen), predictor)
    draw(doc, arguments.store, NAME)
    write_results(NAME, [*rows_of(doc, targets=TARGETS), *fock_builds(unseen[0])])


if __name__ == "__main__":
    main()
