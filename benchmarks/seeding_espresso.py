"""Measure what pw.x saves when it starts from a predicted density, all costs included.

Labels rattled and strained 8-atom cells of silicon (one k-point, so that it is quick) with the
norm-conserving PBE pseudopotential of Debian's quantum-espresso-data, trains the compact network on
them for some minutes, and converges unseen cells from the program's own start, superposed atoms,
the prediction, the best fit in the basis of the network, and the converged density. The store is
kept: the script goes on where it was stopped. With ``--quick``: 2-atom cells, no network, under a
minute.

Usage: python benchmarks/seeding_espresso.py [--store FOLDER] [--seconds TRAINING] [--quick]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import run_locally
from jobflow.core.reference import find_and_resolve_references
from pymatgen.core import Lattice, Structure
from results_file import write_results
from seeding_rows import print_table, rows_of

from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
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

    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

NAME = "seeding_espresso"
N_TRAIN, N_TEST = 24, 4
SETTINGS: dict[str, Any] = {"ecutwfc_ry": 24.0, "kpoints": (1, 1, 1), "kshift": (1, 1, 1)}
LABEL_THRESHOLD_RY = 1e-7
TRAINING = {"n_steps": 700, "steps_per_round": 50, "threads": 1}


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


def silicon(*, conventional: bool) -> Structure:
    """Return the perfect crystal."""
    primitive = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.431), ["Si"], [[0, 0, 0]])
    return primitive if conventional else primitive.get_primitive_structure()


class Pipeline:
    """Label, train and predict in one store.

    Parameters
    ----------
    folder
        Of the store.
    code
        How labels are computed.
    n_processes
        Crystals computed at a time.
    """

    def __init__(self, folder: Path, code: EspressoCode, n_processes: int) -> None:
        self.folder, self.code = folder, code
        self.common: dict[str, Any] = {"store_path": str(folder), "n_processes": n_processes}
        self.job_store = job_store(folder)

    def execute(self, job: Job) -> Any:
        """Run one job and return its output."""
        responses = run_locally(job, store=self.job_store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def label(self, structures: list[Structure]) -> list[str]:
        """Return the identifiers of the labels."""
        maker = LabelMaker(code=self.code, basis="crystal", **self.common)
        return list(self.execute(maker.make(structures)).density_ids)

    def train(self, ids: list[str], seconds: float) -> ScdpPredictor:
        """Train on labels and return the predictor."""
        maker = BuildDatasetMaker(
            dataset_name=NAME, split=SplitRule(validation=0.08), **self.common
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
        self, ids: list[str], code: EspressoCode, predictor: ScdpPredictor | None
    ) -> SeedingBenchmarkDoc:
        """Compare the starts of labelled structures."""
        maker = SeedingBenchmarkMaker(
            name="silicon, rattled",
            seed_maker=SeedMaker(code=code, fit_start=True, **self.common),
            report_maker=None,
        )
        flow = maker.make(density_ids=ids, predictors=() if predictor is None else predictor)
        run_locally(flow, store=self.job_store, ensure_success=True, log=False)
        doc: SeedingBenchmarkDoc = find_and_resolve_references(flow.output, self.job_store)
        return doc


def main() -> None:
    """Run all steps and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("espresso_store"))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    settings = EspressoSettings({"Si": "Si.pbe-rrkj.UPF"}, **SETTINGS)
    code = EspressoCode(replace(settings, conv_thr_ry=LABEL_THRESHOLD_RY))
    crystal = silicon(conventional=not arguments.quick)
    generator = np.random.default_rng(0)
    count = 2 if arguments.quick else N_TRAIN + N_TEST
    structures = [rattled(crystal, generator) for _ in range(count)]
    n_train = 0 if arguments.quick else N_TRAIN
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) if arguments.quick else arguments.store
        pipeline = Pipeline(folder, code, arguments.processes)
        ids = pipeline.label(structures)
        predictor = None
        if not arguments.quick:
            predictor = pipeline.train(ids[:n_train], arguments.seconds)
        doc = pipeline.compare(ids[n_train:], EspressoCode(settings), predictor)
    print_table(doc)
    if not arguments.quick:
        write_results(NAME, rows_of(doc, builds="h_psi calls"))


if __name__ == "__main__":
    main()
