"""Run one flow definition of atomate2 with PySCF and with ABINIT, seeded by one power-up and not.

The flow computes a structure as it is and relaxes it. Its Makers are those of ``atomate2.ase`` with
our PySCF calculator (water and ethanol, the shipped model) or of ``atomate2.abinit`` (silicon; from
superposed atoms, and from the fit of the basis to the converged density, in place of a model that
misses 0.7 %). The work is read from the audits
in the report store. Counts of steps are those of a code; times are of its whole jobs, prediction
included. With ``--quick``: water, and silicon of two atoms from superposed atoms, under a minute.

Usage: python benchmarks/atomate2_codes.py [--quick]
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from atomate2.abinit.jobs.core import RelaxMaker as AbinitRelaxMaker
from atomate2.abinit.jobs.core import StaticMaker as AbinitStaticMaker
from atomate2.abinit.sets.core import RelaxSetGenerator, StaticSetGenerator
from jobflow import Flow, Maker, run_locally
from pymatgen.core import Molecule, Structure
from results_file import make_row, write_results
from seeding_abinit import KPOINTS, Pipeline, crystal, rattled

from scdp_flows.demo.structures import ETHANOL_TEST_FRAMES, load_ethanol
from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.jobs.relax import RelaxMaker, StaticMaker
from scdp_flows.jobs.samples import load_fit
from scdp_flows.powerups import seed
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.base import Predicted
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from scdp_flows.predictors.base import Predictor
    from scdp_flows.stores.reports import RunStart

NAME = "atomate2_codes"
MOST_STEPS = 6


@dataclass
class StaticAndRelax(Maker):
    """The one definition: it names no code."""

    static_maker: Maker
    relax_maker: Maker
    name: str = "static and relax"

    def make(self, structure: Molecule | Structure) -> Flow:
        """Chain the jobs; the relaxation starts from the same structure, for comparison."""
        makers: list[Any] = [self.static_maker, self.relax_maker]
        return Flow([maker.make(structure) for maker in makers], name=self.name)


@dataclass
class Result:
    """What one run of the flow took."""

    starts: list[RunStart]
    energy_ev: float
    cpu_s: float

    @property
    def counts(self) -> dict[str, float]:
        """Steps of the static calculation, of the first geometry and of all."""
        static, relax = (start.scf_steps for start in self.starts)
        later = sum(relax[1:]) / max(1, len(relax) - 1)
        return {"static": static[0], "first geometry": relax[0], "later geometries": later}


def pyscf(store: str) -> StaticAndRelax:
    """Return the definition with PySCF, which starts each geometry from the one before."""
    code = PyscfRelaxation(policy="previous_dm")
    options: dict[str, Any] = {"code": code, "store_path": store}
    return StaticAndRelax(StaticMaker(**options), RelaxMaker(**options, steps=MOST_STEPS))


def corrected(maker: StaticAndRelax) -> StaticAndRelax:
    """Return the same with starts that use predictions, the default of the calculator."""
    options = {"code": PyscfRelaxation()}
    made = [maker.static_maker.update_kwargs(options), maker.relax_maker.update_kwargs(options)]
    return StaticAndRelax(*made)


def abinit(pipeline: Pipeline) -> StaticAndRelax:
    """Return the definition with atomate2's ABINIT Makers, pseudopotentials given as paths."""
    options: dict[str, Any] = {
        "pseudos": [str(pipeline.folder / "pseudo" / pipeline.files["Si"])],
        "factory_kwargs": {"ecut": 8, "kppa": 60, "spin_mode": "unpolarized"},
    }
    settings = {"chksymtnons": 0, "diemac": 12}
    relax = {**settings, "ntime": MOST_STEPS}
    return StaticAndRelax(
        AbinitStaticMaker(input_set_generator=StaticSetGenerator(
            **options, user_abinit_settings=settings
        )),
        AbinitRelaxMaker(input_set_generator=RelaxSetGenerator(
            **options, relax_cell=False, tolmxf=5e-4, user_abinit_settings=relax
        )),
    )  # fmt: skip


def run(maker: StaticAndRelax, structure: Molecule | Structure, folder: Path) -> Result:
    """Run the flow and read its records."""
    flow = maker.make(structure)
    before = os.times()
    with TemporaryDirectory(dir=folder) as runs:
        responses = run_locally(
            flow, create_folders=True, root_dir=runs, log=False, ensure_success=True,
            store=job_store(folder / "store"),
        )  # fmt: skip
    after = os.times()
    with open_stores(str(folder / "store")) as stores:
        known = {start.job_uuid: start for start in stores.reports.starts()}
    output = responses[flow.job_uuids[0]][1].output
    cpu = sum(after[:4]) - sum(before[:4])
    return Result([known[uuid] for uuid in flow.job_uuids], output.output.energy, cpu)


class Nobody(AtomicPredictor):
    """Predict nothing, so that ABINIT's own start is recorded like the others."""

    def predict_many(self, structures: Any) -> Any:  # noqa: ARG002
        """Refuse."""
        from scdp_flows.errors import ModelError

        raise ModelError("the program's own start is wanted")


@dataclass(frozen=True)
class Fitted(AtomicPredictor):
    """Give the fit of a stored label of the very structure."""

    density_id: str = ""

    def predict_many(self, structures: Any) -> Any:
        """Load the fit."""
        with open_stores(self.store_path) as stores:
            density = load_fit(stores.densities.get(self.density_id), stores)
        for _ in structures:
            yield Predicted(density, 0.0, 0.0)


def report(title: str, results: dict[str, Result]) -> list[Any]:
    """Print the table of one system and return its rows."""
    print(f"\n{title}")
    base = results["default"]
    rows = []
    for name, result in results.items():
        used = sum(start.seed_used for start in result.starts)
        difference = result.energy_ev - base.energy_ev
        text = ", ".join(
            f"{key} {value:.1f} ({100 * (value / base.counts[key] - 1):+.0f} %)"
            for key, value in result.counts.items()
        )
        print(f"  {name:10} {text}; {result.cpu_s:.1f} CPU s; seeded {used} of 2; "
              f"dE {difference:.1e} eV", flush=True)  # fmt: skip
        rows += [
            make_row(f"{title}: {name}: {key}", value, "steps", reference=base.counts[key])
            for key, value in result.counts.items()
        ]
        rows.append(make_row(f"{title}: {name}: CPU", result.cpu_s, "s", reference=base.cpu_s))
        rows.append(make_row(f"{title}: {name}: energy difference", abs(difference), "eV"))
    return rows


def molecules(folder: Path, *, quick: bool) -> list[Any]:
    """Run the flow with PySCF."""
    water = Molecule(["O", "H", "H"], [[0, 0, 0.14], [0, 0.79, -0.49], [0, -0.73, -0.46]])
    systems = {"water, PySCF": water}
    if not quick:
        systems["ethanol, PySCF"] = load_ethanol()[ETHANOL_TEST_FRAMES[5]]
    maker, rows = pyscf(str(folder / "store")), []
    shipped = ScdpPredictor()
    shipped.predict(water)  # loaded once for many structures
    for title, molecule in systems.items():
        default = run(maker, molecule, folder)
        seeded = run(seed(corrected(maker), shipped), molecule, folder)
        rows += report(title, {"default": default, "predicted": seeded})
    return rows


def silicon(folder: Path, *, quick: bool) -> list[Any]:
    """Run the flow with ABINIT."""
    generator = np.random.default_rng(1)
    pipeline = Pipeline(folder)
    store, atoms = str(folder / "store"), pipeline.atoms.to_dict()
    cells = {"Si2, ABINIT": rattled(crystal("Fd-3m", 5.43, ["Si"]), generator, 0.0)}
    if not quick:
        conventional = crystal("Fd-3m", 5.43, ["Si"], primitive=False)
        cells["Si8, ABINIT"] = rattled(conventional, generator, 0.0)
    rows = []
    for title, cell in cells.items():
        predictors: dict[str, Predictor] = {
            "default": Nobody(reference=atoms, name="nobody"),
            "atoms": AtomicPredictor(reference=atoms),
        }
        if not quick:
            (label,) = pipeline.label(pipeline.code(8.0, **KPOINTS, diemac=12.0), [cell])
            predictors["fit"] = Fitted(reference=atoms, store_path=store, density_id=label)
        results = {
            name: run(seed(abinit(pipeline), predictor, store_path=store), cell, folder)
            for name, predictor in predictors.items()
        }
        rows += report(title, results)
    return rows


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    with TemporaryDirectory() as name:
        folder = Path(name)
        rows = molecules(folder, quick=arguments.quick)
        rows += silicon(folder, quick=arguments.quick)
    print(f"{time.perf_counter() - begin:.0f} s")
    if not arguments.quick:
        write_results(NAME, rows)


if __name__ == "__main__":
    main()
