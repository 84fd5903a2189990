"""Measure what PySCF saves when it starts from predicted densities, all costs included.

Converges unseen ethanol frames, unseen QM7 molecules with at most five heavy atoms, and a few of
them with hybrid functionals, from PySCF's own start, superposed atoms, the prediction of the
shipped model, the best fit in its basis, and the converged density. Times the parts of the first
Fock matrix. The store is kept: the script goes on where it was stopped. With ``--quick``: one
ethanol frame and two molecules, under a minute.

Usage: python benchmarks/seeding_pyscf.py [--store FOLDER] [--model NAME] [--ethanol N] [--qm7 N]
[--hybrid N] [--fit] [--parts | --quick]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from jobflow import run_locally
from jobflow.core.reference import find_and_resolve_references
from results_file import make_row, write_results
from seeding_rows import print_table, rows_of

from scdp_flows.demo.structures import QM7_TEST_IDS, load_ethanol, load_qm7_small
from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.flows.seeding_benchmark import SeedingBenchmarkMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import DEFAULT_MODEL, ScdpPredictor
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymatgen.core import Molecule

    from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc

NAME = "seeding_pyscf"
FIRST_UNSEEN_FRAME = 180
KNOWN_ELEMENTS = {"H", "C", "N", "O"}
HYBRIDS = ("B3LYP", "PBE0")
N_HYBRID = 3
TARGETS = {
    "ethanol": {"iterations": "40 % less", "Fock work": "25 % less"},
    "QM7": {"iterations": "30 % less", "structures with more iterations": "below 5 %"},
}


def unseen_qm7() -> list[Molecule]:
    """Return the QM7 molecules of known elements that no shipped model was trained on."""
    tests = set(QM7_TEST_IDS)
    return [
        molecule
        for molecule in load_qm7_small()
        if molecule.properties["qm7_id"] in tests
        and {e.symbol for e in molecule.composition} <= KNOWN_ELEMENTS
    ]


class Benchmark:
    """Run the flow of the package in one store.

    Parameters
    ----------
    folder
        Of the store.
    model
        Name, identifier or file of the model.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self.predictor = ScdpPredictor(model, store_path=str(folder), name="predicted")
        self.job_store = job_store(folder)

    def run(
        self, name: str, molecules: Sequence[Molecule], code: PyscfCode, *, fit: bool = False
    ) -> SeedingBenchmarkDoc:
        """Compare the starts of molecules and print the table."""
        common: dict[str, Any] = {"store_path": str(self.folder), "n_processes": 1}
        if fit:
            labels = LabelMaker(code=code, **common).make(list(molecules))
            run_locally(labels, store=self.job_store, ensure_success=True, log=False)
        other = code.kind().functional != "PBE"
        maker = SeedingBenchmarkMaker(
            name=name,
            seed_maker=SeedMaker(code=code, fit_start=fit, other_functional=other, **common),
            report_maker=None,
        )
        flow = maker.make(list(molecules), predictors=self.predictor)
        run_locally(flow, store=self.job_store, ensure_success=True, log=False)
        doc: SeedingBenchmarkDoc = find_and_resolve_references(flow.output, self.job_store)
        print_table(doc)
        return doc

    def picture(self, doc: SeedingBenchmarkDoc, file: Path) -> None:
        """Draw the savings of a benchmark."""
        from scdp_flows.reports.savings import savings_figure
        from scdp_flows.reports.series import arrange
        from scdp_flows.reports.style import to_png

        with open_stores(self.folder) as stores:
            seeds = [stores.reports.seeds.get(key) for key in doc.seed_ids]
        file.write_bytes(to_png(savings_figure(doc, arrange((), (), seeds)), dpi=110))


def parts(molecule: Molecule, predictor: ScdpPredictor) -> dict[str, float]:
    """Return the processor time of the parts of a start, s, and of one Fock build beside them."""
    from scdp_flows.dft.pyscf.auxiliary import coulomb_operator, spherical_coulomb_operator
    from scdp_flows.dft.pyscf.fock import (
        diagonalised_density_matrix,
        fock_of_density,
        seed_grid,
    )
    from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field, quiet_pyscf
    from scdp_flows.dft.pyscf.shell_sums import ShellSums

    settings = PyscfSettings()
    mol = build_molecule(molecule, settings)
    mf = mean_field(mol, settings)
    density = predictor.predict(molecule)
    grids = seed_grid(mol, 0)
    mf.grids.build()
    with quiet_pyscf():
        dm = diagonalised_density_matrix(mf, fock_of_density(mf, density))
        mf.get_veff(mol, dm)  # with the integrals that all builds share
        measured: dict[str, Callable[[], object]] = {
            "prediction": lambda: predictor.predict(molecule),
            "core Hamiltonian": mf.get_hcore,
            "repulsion by s functions": lambda: spherical_coulomb_operator(mol, density),
            "density and repulsion by multipoles": lambda: ShellSums(density)(grids.coords),
            "first Fock matrix, all": lambda: fock_of_density(mf, density),
            "first Fock matrix, grid level 1": lambda: fock_of_density(mf, density, grid_level=1),
            "repulsion by all integrals": lambda: coulomb_operator(mol, density),
            "one Fock build of the SCF": lambda: mf.get_veff(mol, dm),
        }
        return {name: median(_cpu(call) for _ in range(5)) for name, call in measured.items()}


def _cpu(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Run all groups and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("seeding_store"))
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--ethanol", type=int, default=8)
    parser.add_argument("--qm7", type=int, default=29)
    parser.add_argument("--hybrid", type=int, default=N_HYBRID)
    parser.add_argument("--fit", action="store_true", help="label, and start from the best fit too")
    parser.add_argument("--parts", action="store_true", help="only time the parts of a start")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    n_ethanol, n_qm7, n_hybrid = (
        (1, 2, 0) if arguments.quick else (arguments.ethanol, arguments.qm7, arguments.hybrid)
    )
    frames = load_ethanol()[FIRST_UNSEEN_FRAME:]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) if arguments.quick else arguments.store
        bench = Benchmark(folder, arguments.model)
        times = parts(frames[0], bench.predictor)
        for name, seconds in times.items():
            print(f"{name:38} {1e3 * seconds:7.1f} ms CPU")
        if arguments.parts:
            return
        rows = [make_row(f"parts: {name}", 1e3 * t, "ms") for name, t in times.items()]
        groups = [("ethanol", frames[:n_ethanol], PyscfCode())]
        if not arguments.quick:  # the grid that PySCF takes if nobody says otherwise
            usual = PyscfCode(PyscfSettings(grid_level=3))
            groups.append(("ethanol, SCF grid level 3", frames[: (n_ethanol + 1) // 2], usual))
        groups += [("QM7", unseen_qm7()[:n_qm7], PyscfCode())]
        few = unseen_qm7()[2 : 2 + n_hybrid]
        hybrids = [(f, PyscfCode(PyscfSettings(functional=f))) for f in HYBRIDS if few]
        groups += [(functional, few, code) for functional, code in hybrids]
        # The ceiling where the first potential is not limited by its grid.
        if few:
            fine = replace(PyscfCode(), seed_grid_level=1)
            groups.append(("grid level 1 for the start", few, fine))
        for group, molecules, code in groups:
            doc = bench.run(group, molecules, code, fit=arguments.fit and group == "ethanol")
            rows += rows_of(doc, prefix=f"{group}, ", targets=TARGETS.get(group))
            if not arguments.quick and group in {"ethanol", "QM7"}:
                figure = Path(__file__).parent / "results" / f"{NAME}_{group.lower()}.png"
                bench.picture(doc, figure)
    if not arguments.quick:
        write_results(NAME, rows)


if __name__ == "__main__":
    main()
