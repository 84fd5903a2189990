"""Measure what ABINIT saves when it starts from a density, all costs included.

Rattled crystals with GTH-PBE pseudopotentials (Si of 2 and 8 atoms, SiC, Al with smearing) from the
program's own start, superposed atoms by our route, the best fit of the basis, and the converged
density, with both kinds of mixing. Then a small network is trained on rattled and strained cells of
silicon, and unseen ones start from its prediction. The CPU time of a start includes prediction,
writing the density, and the non-self-consistent part. Under ten minutes; ``--quick``: silicon only,
no network.

Usage: python benchmarks/seeding_abinit.py [--seconds TRAINING] [--quick]
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

from scdp_flows.dft.abinit import AbinitCode, AbinitSettings
from scdp_flows.dft.plane_waves.gth import write_gth
from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.batches import value_of
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.samples import load_fit
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.reports.style import INK, decorate, new_figure, to_png
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from jobflow import Job

    from scdp_flows.dft.base import ScfStart
    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.orbital import OrbitalDensity

NAME = "seeding_abinit"
N_TRAIN, N_TEST = 24, 3
PERIODIC = (True, True, True)
ELEMENTS = {6: "C", 13: "Al", 14: "Si"}
KPOINTS: dict[str, Any] = {"kpoints": (2, 2, 2)}
# Of primitive cells, shifted k-points would lack the symmetry.
CUBIC: dict[str, Any] = {**KPOINTS, "kshift": (1, 1, 1)}
TRAINING = {"n_steps": 3000, "steps_per_round": 50, "threads": 1}
TITLES = {
    "default": "default",
    "atomic": "atoms, by file",
    "predicted": "predicted",
    "fit": "fit of the basis",
    "exact": "converged density",
}


def rattled(structure: Structure, generator: np.random.Generator, strain: float) -> Structure:
    """Strain a cell and displace its atoms by 0.05 Å."""
    matrix = generator.uniform(-strain, strain, (3, 3))
    cell = structure.lattice.matrix @ (np.eye(3) + (matrix + matrix.T) / 2)
    moved = Structure(Lattice(cell), structure.species, structure.frac_coords)
    shifts = generator.normal(scale=0.05, size=(len(structure), 3))
    return Structure(
        moved.lattice, moved.species, moved.cart_coords + shifts, coords_are_cartesian=True
    )


def crystal(group: str, length: float, symbols: list[str], *, primitive: bool = True) -> Structure:
    """Return a cubic crystal with atoms at the origin and the quarter of the diagonal."""
    places = [[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]][: len(symbols)]
    cubic = Structure.from_spacegroup(group, Lattice.cubic(length), symbols, places)
    return cubic.get_primitive_structure() if primitive else cubic


class Pipeline:
    """Codes, labels and models in one folder.

    Parameters
    ----------
    folder
        Of pseudopotentials and stores.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, str(folder / "store")
        self.files = write_gth(folder / "pseudo", ELEMENTS.values())
        self.atoms = PyscfCode().atomic_reference(ELEMENTS)
        self.job_store = job_store(folder / "store")

    def code(self, ecut_ha: float, **settings: Any) -> AbinitCode:
        """Return the code with some settings."""
        made = AbinitSettings(
            self.files, pseudo_dir=str(self.folder / "pseudo"), ecut_ha=ecut_ha, **settings
        )
        return AbinitCode(made, reference=self.atoms.to_dict())

    def superposed(self, structure: Structure) -> OrbitalDensity:
        """Return the density of the free atoms."""
        cell = structure.lattice.matrix
        numbers = np.array(structure.atomic_numbers)
        return self.atoms.superposition(numbers, structure.cart_coords, cell, PERIODIC)

    def execute(self, job: Job) -> Any:
        """Run one job and return its output."""
        responses = run_locally(job, store=self.job_store, ensure_success=True, log=False)
        return responses[job.uuid][1].output

    def label(self, code: AbinitCode, structures: list[Structure]) -> list[str]:
        """Return the identifiers of labels with their fits."""
        maker = LabelMaker(code=code, basis="crystal", store_path=self.store, n_processes=1)
        inputs: list[AtomicStructure] = list(structures)
        return list(self.execute(maker.make(inputs)).density_ids)

    def fits(self, ids: list[str]) -> list[OrbitalDensity]:
        """Return labels in Gaussians."""
        with open_stores(self.store) as stores:
            return [load_fit(stores.densities.get(i), stores) for i in ids]

    def train(self, ids: list[str], seconds: float) -> ScdpPredictor:
        """Train on labels and return the predictor."""
        build = BuildDatasetMaker(
            dataset_name=NAME, split=SplitRule(validation=0.1), store_path=self.store, n_processes=1
        )
        dataset = self.execute(build.make(ids, test_ids=[]))
        train = TrainMaker(
            model_name=NAME, training={**TRAINING, "max_seconds": seconds}, store_path=self.store
        )
        model = self.execute(train.make(dataset.dataset_id))
        print(f"trained {model.train_seconds:.0f} s on {len(ids)} cells")
        return ScdpPredictor(model.model_id, store_path=self.store, name="predicted")


def starts_of(
    code: AbinitCode, structure: Structure, densities: dict[str, OrbitalDensity]
) -> dict[str, ScfStart]:
    """Return the starts of a crystal by name."""
    (outcome,) = code.compare_starts_many([structure], [densities], n_processes=1)
    return {start.start: start for start in value_of(outcome)}


def predicted_starts(
    pipeline: Pipeline, code: AbinitCode, structure: Structure, predictor: ScdpPredictor
) -> dict[str, ScfStart]:
    """Return default, atoms, prediction and converged density; prediction counts as work."""
    cpu = time.process_time()
    (prediction,) = predictor.predict_many([structure])
    seconds = time.process_time() - cpu
    given = {"atomic": pipeline.superposed(structure), "predicted": prediction.density}
    starts = starts_of(code, structure, given)
    start = starts["predicted"]
    starts["predicted"] = replace(
        start, cpu_s=start.cpu_s + seconds, seed_cpu_s=start.seed_cpu_s + seconds
    )
    return starts


def report(title: str, rows: list[dict[str, ScfStart]]) -> list[Any]:
    """Print means over structures and return the rows of the results file."""
    print(f"\n{title}; {len(rows)} structure(s), saved against default in brackets")
    print(f"{'start':18} {'steps':>5}          {'H psi':>6}        {'CPU s':>6}         seed s"
          "  NMAE %    Ej Ha    dE Ha  used")  # fmt: skip
    results: list[Any] = []
    base: dict[str, tuple[float, str]] = {}
    for name in [name for name in TITLES if name in rows[0]]:
        some = [row[name] for row in rows]
        values = {
            "steps": (fmean(s.iterations for s in some), ""),
            "H psi": (fmean(s.fock_builds for s in some), ""),
            "CPU": (fmean(s.cpu_s for s in some), "s"),
        }
        nmae = fmean(s.nmae_percent or 0.0 for s in some)
        coulomb = fmean(s.coulomb_error_ha or 0.0 for s in some)
        difference = max(abs(s.energy_difference_ha or 0.0) for s in some)
        base = base or values
        saved = [100 * (1 - values[key][0] / base[key][0]) for key in values]
        (steps, _), (calls, _), (cpu, _) = values.values()
        print(
            f"{TITLES[name]:18} {steps:5.2f} ({saved[0]:4.0f} %) {calls:6.0f} ({saved[1]:4.0f} %)"
            f" {cpu:6.2f} ({saved[2]:4.0f} %) {fmean(s.seed_cpu_s for s in some):6.3f}"
            f" {nmae:7.2f} {coulomb:8.1e} {difference:8.1e} {sum(s.seed_used for s in some)}",
            flush=True,
        )
        results += [
            make_row(f"{title}: {name}: {key}", value, unit, reference=base[key][0])
            for key, (value, unit) in values.items()
        ]
        results.append(make_row(f"{title}: {name}: NMAE", nmae, "%"))
        results.append(make_row(f"{title}: {name}: energy difference", difference, "Ha"))
    return results


def draw(results: list[Any]) -> None:
    """Draw what starts save with density mixing, by crystal."""
    rows = {row["name"]: row for row in results}
    names = [name for name in TITLES if name != "default"]
    crystals = [c for c in ("Si", "SiC", "Al", "Si8") if f"{c}, density mixing: fit: CPU" in rows]
    with new_figure(9.0, 3.4) as figure:
        for axes, quantity in zip(
            figure.subplots(1, 3, sharey=True), ("steps", "H psi", "CPU"), strict=True
        ):
            for shift, name in enumerate(n for n in names if n != "predicted"):
                found = [rows[f"{c}, density mixing: {name}: {quantity}"] for c in crystals]
                saved = [100 * (1 - row["value"] / row["reference"]) for row in found]
                places = [0.8 * i + 0.2 * shift for i in range(len(crystals))]
                axes.bar(places, saved, 0.19, label=TITLES[name], color=f"C{shift}")
            axes.axhline(0.0, color=INK, lw=1)
            axes.set_xticks([0.8 * i + 0.2 for i in range(len(crystals))], crystals)
            decorate(axes, quantity, y="saved / %" if quantity == "steps" else "", grid="y")
        figure.axes[0].legend(frameon=False, fontsize=8)
    (Path(__file__).parent / "results" / f"{NAME}.png").write_bytes(to_png(figure, dpi=110))


def main() -> None:
    """Run all comparisons and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    silicon = crystal("Fd-3m", 5.43, ["Si"])
    metal = {**CUBIC, "smearing": "mv", "tsmear_ha": 0.02}
    cases = {
        "Si": (silicon, 8.0, {**KPOINTS, "diemac": 12.0}),
        "SiC": (crystal("F-43m", 4.36, ["Si", "C"]), 20.0, {**KPOINTS, "diemac": 7.0}),
        "Si8": (crystal("Fd-3m", 5.43, ["Si"], primitive=False), 8.0, {**CUBIC, "diemac": 12.0}),
        "Al": (crystal("Fm-3m", 4.05, ["Al"], primitive=False), 8.0, metal),
    }
    results = []
    with TemporaryDirectory() as scratch:
        pipeline = Pipeline(Path(scratch))
        for name in ["Si"] if arguments.quick else cases:
            perfect, ecut_ha, settings = cases[name]
            structure = rattled(perfect, generator, 0.0)
            code = pipeline.code(ecut_ha, **settings)
            (fit,) = pipeline.fits(pipeline.label(code, [structure]))
            given = {"atomic": pipeline.superposed(structure), "fit": fit}
            for mixing in ("potential", "density"):
                mixed = replace(code, settings=replace(code.settings, mixing=mixing))
                title = f"{name}, {mixing} mixing"
                results += report(title, [starts_of(mixed, structure, given)])
        if not arguments.quick:
            code = pipeline.code(8.0, **cases["Si"][2])
            cells = [rattled(silicon, generator, 0.03) for _ in range(N_TRAIN + N_TEST)]
            predictor = pipeline.train(pipeline.label(code, cells[:N_TRAIN]), arguments.seconds)
            list(predictor.predict_many(cells[:1]))  # loaded once for many structures
            rows = [predicted_starts(pipeline, code, cell, predictor) for cell in cells[N_TRAIN:]]
            results += report("Si, unseen cells", rows)
            write_results(NAME, results)
            draw(results)


if __name__ == "__main__":
    main()
