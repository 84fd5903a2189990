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
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import run_locally
from pymatgen.core import Lattice, Structure
from results_file import make_row, write_results

from scdp_flows.dft.espresso import EspressoCode, EspressoSettings
from scdp_flows.jobs.batches import value_of
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.samples import load_fit
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from jobflow import Job

    from scdp_flows.dft.base import ScfStart
    from scdp_models.density.orbital import OrbitalDensity

NAME = "seeding_espresso"
N_TRAIN, N_TEST = 24, 4
SETTINGS: dict[str, Any] = {"ecutwfc_ry": 24.0, "kpoints": (1, 1, 1), "kshift": (1, 1, 1)}
LABEL_THRESHOLD_RY = 1e-7
TRAINING = {"n_steps": 700, "steps_per_round": 50, "threads": 1}
TITLES = {
    "default": "default",
    "atomic": "atoms, by file",
    "predicted": "predicted",
    "fit": "fit of the basis",
    "exact": "converged density",
}


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

    def fits(self, ids: list[str]) -> list[OrbitalDensity]:
        """Return the labels in Gaussians."""
        with open_stores(self.folder) as stores:
            return [load_fit(stores.densities.get(i), stores) for i in ids]


def compare(
    code: EspressoCode,
    structures: list[Structure],
    fits: list[OrbitalDensity],
    predictor: ScdpPredictor | None,
) -> list[dict[str, ScfStart]]:
    """Return the starts of each structure by name, the prediction's time added to its own."""
    rows = []
    if predictor is not None:  # a model is loaded once for many structures
        list(predictor.predict_many(structures[:1]))
    for structure, fit in zip(structures, fits, strict=True):
        atoms = code.atomic_reference({14}).superposition(
            structure.atomic_numbers, structure.cart_coords, structure.lattice.matrix, (True,) * 3
        )
        given, seconds = {"atomic": atoms, "fit": fit}, 0.0
        if predictor is not None:
            cpu = time.process_time()
            predicted = next(iter(predictor.predict_many([structure])))
            seconds = time.process_time() - cpu
            given["predicted"] = predicted.density
        (outcome,) = code.compare_starts_many([structure], [given], n_processes=1)
        starts = {start.start: start for start in value_of(outcome)}
        if predictor is not None:
            start = starts["predicted"]
            starts["predicted"] = replace(
                start, cpu_s=start.cpu_s + seconds, seed_cpu_s=start.seed_cpu_s + seconds
            )
        rows.append(starts)
    return rows


def report(rows: list[dict[str, ScfStart]]) -> list[Any]:
    """Print the table and return the rows of the results file."""
    means = {
        name: {
            "iterations": fmean(row[name].iterations for row in rows),
            "h_psi calls": fmean(row[name].fock_builds for row in rows),
            "CPU": fmean(row[name].cpu_s for row in rows),
            "CPU of the seed": fmean(row[name].seed_cpu_s for row in rows),
            "NMAE": fmean(row[name].nmae_percent or 0.0 for row in rows),
            "Coulomb error": fmean(row[name].coulomb_error_ha or 0.0 for row in rows),
            "energy difference": max(abs(row[name].energy_difference_ha or 0.0) for row in rows),
            "seeds used": sum(row[name].seed_used for row in rows),
        }
        for name in TITLES
        if name in rows[0]
    }
    units = ["", "", "s", "s", "%", "Ha", "Ha", ""]
    print(f"{len(rows)} structures; saved against default in brackets, all costs included")
    print(f"{'start':18} {'it':>5}        {'h_psi':>6}        {'CPU s':>6}        seed s  NMAE %"
          "   Ej Ha    dE Ha   used")  # fmt: skip
    base, results = means["default"], []
    for name, mean in means.items():
        saved = {
            key: 100 * (1 - mean[key] / base[key]) for key in ("iterations", "h_psi calls", "CPU")
        }
        print(
            f"{TITLES[name]:18} {mean['iterations']:5.2f} ({saved['iterations']:3.0f} %) "
            f"{mean['h_psi calls']:6.0f} ({saved['h_psi calls']:3.0f} %) "
            f"{mean['CPU']:6.2f} ({saved['CPU']:3.0f} %) {mean['CPU of the seed']:6.3f} "
            f"{mean['NMAE']:6.2f} {mean['Coulomb error']:9.1e} {mean['energy difference']:8.1e} "
            f"{mean['seeds used']}/{len(rows)}"
        )
        results += [
            make_row(f"{name}: {key}", value, unit, reference=base[key])
            for (key, value), unit in zip(mean.items(), units, strict=True)
        ]
    return results


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
        fits = pipeline.fits(ids[n_train:])
        rows = compare(EspressoCode(settings), structures[n_train:], fits, predictor)
    results = report(rows)
    if not arguments.quick:
        write_results(NAME, results)


if __name__ == "__main__":
    main()
