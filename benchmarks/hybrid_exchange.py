"""Measure what exact exchange in the first Fock matrix of a hybrid is worth, round by round.

A density gives the first Fock matrix of PBE. Each round takes the exchange matrix of the density
matrix that came out, puts it into the hybrid's own Fock matrix of the density, and diagonalises
again. Starts from the converged density of the hybrid and from the prediction of the shipped PBE
model, for three QM7 molecules that it never saw.

Usage: python benchmarks/hybrid_exchange.py [--functional NAME] [--molecules N] [--rounds N]
"""

from __future__ import annotations

import argparse
import time
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from results_file import make_row, write_results
from seeding_pyscf import unseen_qm7

from scdp_flows.dft.pyscf import PyscfSettings
from scdp_flows.dft.pyscf.exchange import fock_with_exchange
from scdp_flows.dft.pyscf.fock import focks_of_density, focks_of_density_matrix
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field, quiet_pyscf
from scdp_flows.dft.pyscf.scf import run_scf
from scdp_flows.dft.pyscf.seed import checked_start
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.dft.pyscf.scf import ScfRun

NAME = "hybrid_exchange"
FIRST = 2  # of the unseen molecules: those before have no carbon chain


class Counts:
    """Collect iterations by start and the processor time of a round, in Fock builds."""

    def __init__(self) -> None:
        self.iterations: dict[str, list[int]] = {}
        self.costs: list[float] = []

    def add(self, name: str, run: ScfRun) -> None:
        """Take note of a run."""
        self.iterations.setdefault(name, []).append(run.iterations)

    def measure(self, molecule: Molecule, settings: PyscfSettings, rounds: int) -> None:
        """Converge one molecule from all starts."""
        mol = build_molecule(molecule, settings)
        default = run_scf(mol, settings, conv_tol_ha=1e-9)
        self.add("default", default)
        density = ScdpPredictor().predict(molecule)
        density = density.scaled(mol.nelectron / density.n_electrons())
        for name in ("exact", "predicted"):
            for count in range(rounds + 1):
                mf = mean_field(mol, settings, conv_tol_ha=1e-9)
                with quiet_pyscf():
                    focks = (
                        focks_of_density_matrix(mf, default.dm)
                        if name == "exact"
                        else focks_of_density(mf, density)
                    )
                    dm = checked_start(mol, mf, focks.semilocal)
                    mf.get_k(mol, dm)  # with the integrals that the calculation needs anyway
                    for _ in range(count):
                        start = time.process_time()
                        dm = self._next(mf, focks, dm)
                        seconds = time.process_time() - start
                        self.costs.append(seconds / (default.fock_cpu_s or 1.0))
                self.add(f"{name}, {count} rounds", run_scf(mol, settings, dm, prepared=mf))

    @staticmethod
    def _next(mf: Any, focks: Any, dm: Any) -> Any:
        fock = fock_with_exchange(mf, focks, dm)
        return dm if fock is None else checked_start(mf.mol, mf, fock)


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functional", default="B3LYP")
    parser.add_argument("--molecules", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    settings = PyscfSettings(functional=arguments.functional)
    counts = Counts()
    for molecule in unseen_qm7()[FIRST : FIRST + arguments.molecules]:
        counts.measure(molecule, settings, arguments.rounds)
        print(molecule.formula, {k: v[-1] for k, v in counts.iterations.items()}, flush=True)
    means = {name: fmean(found) for name, found in counts.iterations.items()}
    rows = [
        make_row(f"{name}: iterations", value, "", reference=means["default"])
        for name, value in means.items()
    ]
    rows.append(make_row("one round", median(counts.costs), "Fock builds"))
    for row in rows:
        print(row)
    write_results(NAME, rows)


if __name__ == "__main__":
    main()
