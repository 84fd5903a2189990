"""Measure what each way to start saves along relaxations, all costs included.

Small molecules that the shipped model never saw are displaced by 0.06 Å and relaxed (BFGS, PBE,
GTH); every policy then converges the same geometries, so that counts and times are of the same
work. "Oracle" is the converged density through a first potential on the calculation's own grid: the
ceiling. Means are over all geometries, the first included, and over those after it.
With ``--quick``: methane, three geometries, under a minute.

Usage: python benchmarks/relaxation_pyscf.py [--molecules N] [--geometries N] [--quick]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from pymatgen.core import Molecule
from results_file import make_row, write_results

from scdp_flows.demo.structures import ETHANOL_TEST_FRAMES, load_ethanol, load_qm7_small
from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.dft.pyscf.continuation_base import StartPolicy
from scdp_flows.dft.pyscf.fock import fock_of_density_matrix
from scdp_flows.dft.pyscf.molecule import build_molecule
from scdp_flows.dft.pyscf.seed import checked_start, run_seeded
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.units import HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf.calculator import PyscfCalculator

NAME = "relaxation_pyscf"
QM7_IDS = (1, 13, 57, 104, 214)  # of QM7_TEST_IDS, with H, C, N and O
DISPLACEMENT = 0.06  # Å, root mean square of an atom
POLICIES: tuple[StartPolicy, ...] = get_args(StartPolicy)
PATH_POLICY: StartPolicy = "auto"
ORACLE = "oracle"
BASE = "previous_dm"


@dataclass
class Tally:
    """What one policy took, geometry by geometry."""

    iterations: list[list[int]] = field(default_factory=list)
    fock_builds: list[int] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    seed_cpu_s: list[float] = field(default_factory=list)
    energies_ev: list[float] = field(default_factory=list)
    dropped: int = 0

    def add(self, calculator: PyscfCalculator) -> None:
        """Take note of a whole path."""
        steps = calculator.steps
        self.iterations.append([step.iterations for step in steps])
        self.fock_builds += [step.fock_builds for step in steps]
        self.cpu_s += [step.cpu_s for step in steps]
        self.seed_cpu_s += [step.seed_cpu_s for step in steps]
        self.energies_ev += [step.energy_ev for step in steps]
        self.dropped += sum(step.fallback_reason is not None for step in steps)

    @property
    def all(self) -> list[int]:
        """Iterations of all geometries."""
        return [count for path in self.iterations for count in path]

    @property
    def later(self) -> list[int]:
        """Iterations of all geometries but the first of each path."""
        return [count for path in self.iterations for count in path[1:]]


def molecules() -> list[Molecule]:
    """Return the molecules before they are displaced, smallest first."""
    known = {molecule.properties["qm7_id"]: molecule for molecule in load_qm7_small()}
    return [*(known[key] for key in QM7_IDS), load_ethanol()[ETHANOL_TEST_FRAMES[5]]]


def calculator(policy: StartPolicy, predictor: ScdpPredictor, atoms: Atoms) -> PyscfCalculator:
    """Return a calculator of a policy, with a basis where it fits."""
    code = PyscfRelaxation(policy=policy)
    basis = fit_basis("lean", set(atoms.numbers.tolist())) if code.needs_basis else None
    return code.calculator(predictor, basis)


def relaxed_path(
    atoms: Atoms, predictor: ScdpPredictor, n_geometries: int
) -> tuple[list[NDArray[np.float64]], PyscfCalculator]:
    """Relax a molecule and return the geometries and the calculator with its records."""
    path: list[NDArray[np.float64]] = []
    atoms = atoms.copy()
    atoms.calc = calculator(PATH_POLICY, predictor, atoms)
    optimiser = BFGS(atoms, logfile=None)
    optimiser.attach(lambda: path.append(atoms.get_positions()))
    optimiser.run(fmax=0.05, steps=n_geometries - 1)
    return path, atoms.calc


def replayed(
    policy: StartPolicy, atoms: Atoms, path: list[NDArray[np.float64]], predictor: ScdpPredictor
) -> PyscfCalculator:
    """Converge the geometries of a path by another policy; no forces."""
    atoms = atoms.copy()
    atoms.calc = calculator(policy, predictor, atoms)
    for positions in path:
        atoms.set_positions(positions)
        atoms.get_potential_energy()
    found: PyscfCalculator = atoms.calc
    return found


def oracle(atoms: Atoms, path: list[NDArray[np.float64]], tally: Tally) -> None:
    """Start each geometry from its own converged density, on the grid of the calculation."""
    code = PyscfRelaxation()
    counts, dm = [], None
    for positions in path:
        mol = build_molecule(Molecule(atoms.numbers, positions), code.settings)

        def previous(_: Any, known: Any = dm) -> Any:
            return known

        tolerance = code.conv_tol_ha
        start = previous if dm is not None else lambda mf: mf.get_init_guess()
        exact = run_seeded(mol, code.settings, start, conv_tol_ha=tolerance).result
        dm = np.asarray(exact.mf.make_rdm1())

        def make(mf: Any, known: Any = dm) -> Any:
            fock = fock_of_density_matrix(mf, known, grid_level=code.settings.grid_level)
            return checked_start(mf.mol, mf, fock)

        run = run_seeded(mol, code.settings, make, conv_tol_ha=tolerance).result
        counts.append(run.iterations)
        tally.fock_builds.append(run.fock_builds + 1)
        tally.energies_ev.append(run.energy_ha * HARTREE_TO_EV)
    tally.iterations.append(counts)


def measure(chosen: list[Molecule], n_geometries: int) -> Iterator[dict[str, Tally]]:
    """Relax each molecule, replay its path by every policy, and yield what is known so far."""
    predictor = ScdpPredictor()
    list(predictor.predict_many(chosen[:1]))  # a model is loaded once for many structures
    rng = np.random.default_rng(0)
    tallies = {name: Tally() for name in (*POLICIES, ORACLE)}
    forces = 0.0
    for molecule in chosen:
        wall = time.perf_counter()
        shift = rng.normal(scale=DISPLACEMENT / np.sqrt(3), size=(len(molecule), 3))
        atoms = Atoms(molecule.atomic_numbers, molecule.cart_coords + shift)
        path, relaxing = relaxed_path(atoms, predictor, n_geometries)
        forces += sum(step.gradient_cpu_s for step in relaxing.steps)
        for policy in POLICIES:
            same = policy == PATH_POLICY
            tallies[policy].add(relaxing if same else replayed(policy, atoms, path, predictor))
        oracle(atoms, path, tallies[ORACLE])
        means = ", ".join(f"{k} {fmean(t.iterations[-1]):.2f}" for k, t in tallies.items())
        seconds = time.perf_counter() - wall
        print(f"{molecule.formula}: {len(path)} geometries, {seconds:.0f} s: {means}", flush=True)
        print(f"forces of one path each so far: {forces:.1f} CPU s")
        yield tallies


def report(tallies: dict[str, Tally]) -> list[Any]:
    """Print the table and return the rows of the results file."""
    base = tallies[BASE]
    rows = [
        make_row("molecules", len(base.iterations), ""),
        make_row("geometries", len(base.all), ""),
    ]
    reference = np.array(tallies["default"].energies_ev)
    print(f"{len(base.all)} geometries of {len(base.iterations)} molecules; saved against {BASE}")
    print("policy                  it (saved)   later (saved)  Fock (saved)   CPU s (saved)"
          "  seed s  dropped   dE Ha")  # fmt: skip
    for name, tally in tallies.items():
        difference = abs(np.array(tally.energies_ev) - reference).max() / HARTREE_TO_EV
        means = {
            "iterations": (fmean(tally.all), fmean(base.all)),
            "iterations after the first geometry": (fmean(tally.later), fmean(base.later)),
            "Fock builds": (fmean(tally.fock_builds), fmean(base.fock_builds)),
        }
        if tally.cpu_s:
            means["CPU s"] = (fmean(tally.cpu_s), fmean(base.cpu_s))
        text = "  ".join(f"{a:6.2f} ({100 * (1 - a / b):4.0f} %)" for a, b in means.values())
        seed = f"{fmean(tally.seed_cpu_s):6.3f}" if tally.seed_cpu_s else ""
        print(f"{name:20} {text}  {seed:>6}  {tally.dropped:7d} {difference:8.1e}")
        target = "-25 %, stretch -40 %" if name in {"corrected", "auto"} else ""
        rows += [
            make_row(f"{name}: {key}", value, "", reference=against, target=target)
            for key, (value, against) in means.items()
        ]
        rows.append(make_row(f"{name}: largest energy difference", difference, "Ha"))
        rows.append(make_row(f"{name}: starts dropped", tally.dropped, ""))
    return rows


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--geometries", type=int, default=8)
    parser.add_argument("--molecules", type=int, default=6, help="only the first so many")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    chosen = molecules()[: 1 if arguments.quick else arguments.molecules]
    for tallies in measure(chosen, 3 if arguments.quick else arguments.geometries):
        rows = report(tallies)
        # After every molecule, so that a run that is stopped leaves what it found.
        if not arguments.quick:
            write_results(NAME, rows)


if __name__ == "__main__":
    main()
