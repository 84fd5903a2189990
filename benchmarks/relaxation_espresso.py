"""Measure what each way to start saves along relaxations with pw.x, all costs included.

Cells of silicon of 8 atoms, displaced by 0.1 Å, are relaxed by pw.x itself (``relax``: BFGS, PBE,
24 Ry, the same threshold at every geometry); every policy then converges the same geometries. That
run is the row "pw.x relax": one process, which keeps orbitals and moves the density with the atoms.
The predictor is the one that ``seeding_espresso.py`` trains in the same store. "Oracle" is the
converged density of the very geometry: the ceiling. With ``--quick``: 2-atom cells, three
geometries, superposed atoms in place of predictions, under a minute. With ``--augmented``: 2-atom
cells of germanium with projector-augmented waves, in the same way.

Usage: python benchmarks/relaxation_espresso.py [--store FOLDER] [--cells N] [--geometries N]
[--quick | --augmented]
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from results_file import make_row, write_results
from seeding_espresso import PAW_GERMANIUM, SILICON, Cell, Pipeline, diamond, divided_cells

from scdp_flows.dft.espresso.calculator import EspressoRelaxation
from scdp_flows.dft.espresso.input_text import input_text
from scdp_flows.dft.espresso.output import parse_output
from scdp_flows.dft.espresso.scf import run_scf
from scdp_flows.dft.plane_waves.continuation import WavePolicy
from scdp_flows.dft.plane_waves.program import SCRATCH_PREFIX, execute
from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.scratch import scratch_folder
from scdp_flows.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms
    from numpy.typing import NDArray

    from scdp_flows.dft.espresso.calculator import EspressoCalculator
    from scdp_flows.predictors.base import Predictor

NAME = "relaxation_espresso"
POLICIES: tuple[WavePolicy, ...] = get_args(WavePolicy)
BASE, ORACLE, NATIVE = "previous_density", "oracle", "pw.x relax"
DISPLACEMENT = 0.1  # Å, standard deviation of a coordinate
SEED = 11
RELAX = """calculation = 'relax'
  nstep = {n}
  etot_conv_thr = 1e-12
  forc_conv_thr = 1e-12"""
IONS = """&ions
  ion_dynamics = 'bfgs'
  upscale = 1.0
/
"""


@dataclass
class Tally:
    """What one policy took, geometry by geometry."""

    iterations: list[list[int]] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    energies_ev: list[float] = field(default_factory=list)
    dropped: int = 0

    def add(self, calculator: EspressoCalculator) -> None:
        """Take note of a whole path."""
        steps = calculator.steps
        self.iterations.append([step.iterations for step in steps])
        self.calls += [step.fock_builds for step in steps]
        self.cpu_s += [step.cpu_s for step in steps]
        self.energies_ev += [step.energy_ev for step in steps]
        self.dropped += sum(step.fallback_reason is not None for step in steps)

    def means(self) -> dict[str, float]:
        """Return what is compared."""
        return {
            "iterations": fmean(n for path in self.iterations for n in path),
            "iterations after the first geometry": fmean(
                n for path in self.iterations for n in path[1:]
            ),
            "h_psi calls": fmean(self.calls),
            "CPU": fmean(self.cpu_s),
        }


def displaced(crystal: Structure, n_cells: int, like: Cell) -> list[Cell]:
    """Return cells with displaced atoms, to be computed like a given one."""
    generator = np.random.default_rng(SEED)
    found = []
    for _ in range(n_cells):
        shifts = generator.normal(scale=DISPLACEMENT, size=(len(crystal), 3))
        places = crystal.cart_coords + shifts
        moved = Structure(crystal.lattice, crystal.species, places, coords_are_cartesian=True)
        found.append(like._replace(structure=moved))
    return found


def replayed(
    code: EspressoRelaxation, atoms: Atoms, path: list[NDArray[np.float64]], predictor: Predictor
) -> EspressoCalculator:
    """Converge the geometries of a path by another policy."""
    atoms = atoms.copy()
    calculator = atoms.calc = code.calculator(predictor)
    for positions in path:
        atoms.set_positions(positions)
        atoms.get_potential_energy()
    return calculator


def native(code: EspressoRelaxation, cell: Cell, n: int, tally: Tally) -> list[Any]:
    """Let pw.x relax a cell and return the geometries of its path."""
    settings = replace(code.settings, forces=True)
    crystal = as_crystal(cell.structure, settings)
    text = input_text(crystal, settings).replace("calculation = 'scf'", RELAX.format(n=n))
    text = text.replace("ATOMIC_SPECIES", f"{IONS}ATOMIC_SPECIES")
    with scratch_folder(SCRATCH_PREFIX) as folder:
        (folder / "pw.in").write_text(text, encoding="utf-8")
        execution = execute([settings.command, "-in", "pw.in"], folder)
    counts = re.findall(r"convergence has been achieved in +(\d+) iter", execution.text)
    found = re.findall(r"ATOMIC_POSITIONS \(bohr\)\n((?:\w+ .*\n)+)", execution.text)
    path = [crystal.positions]
    for block in found[: len(counts) - 1]:
        places = np.array([line.split()[1:4] for line in block.splitlines()], dtype=float)
        path.append(places * BOHR_TO_ANGSTROM)
    tally.iterations.append([int(count) for count in counts])
    # The totals of the run, spread evenly: the program tells no more.
    tally.calls += [parse_output(execution.text).h_psi_calls / len(path)] * len(path)
    tally.cpu_s += [execution.cpu_s / len(path)] * len(path)
    energies = re.findall(r"! +total energy += +(\S+) Ry", execution.text)
    tally.energies_ev += [0.5 * float(energy) * HARTREE_TO_EV for energy in energies]
    return path


def oracle(code: EspressoRelaxation, cell: Cell, path: list[Any], tally: Tally) -> None:
    """Start each geometry from its own converged density."""
    settings, counts = replace(code.settings, forces=True), []
    for positions in path:
        one = cell.structure
        moved = Structure(one.lattice, one.species, positions, coords_are_cartesian=True)
        crystal = as_crystal(moved, settings)
        seed = run_scf(crystal, settings).final
        run = run_scf(crystal, settings, seed, diago_thr_init=code.seed_diago_thr_init)
        counts.append(run.iterations)
        tally.calls.append(run.hamiltonian_calls)
        tally.cpu_s.append(run.cpu_s)
        tally.energies_ev.append(run.energy_ev)
    tally.iterations.append(counts)


def measure(
    chosen: list[Cell], predictor: Predictor, n_geometries: int
) -> Iterator[dict[str, Tally]]:
    """Relax each cell, replay its path by every policy, and yield what is known so far."""
    # A model is loaded once for many structures.
    list(predictor.predict_many([chosen[0].structure]))
    tallies = {name: Tally() for name in (NATIVE, *POLICIES, ORACLE)}
    for cell in chosen:
        code = EspressoRelaxation(cell.code().settings)
        path = native(code, cell, n_geometries, tallies[NATIVE])
        atoms = AseAtomsAdaptor.get_atoms(cell.structure)
        for policy in POLICIES:
            one = replace(code, policy=policy)
            tallies[policy].add(replayed(one, atoms, path, predictor))
        oracle(code, cell, path, tallies[ORACLE])
        means = ", ".join(f"{k} {fmean(t.iterations[-1]):.2f}" for k, t in tallies.items())
        print(f"{cell.structure.formula}: {len(path)} geometries: {means}", flush=True)
        yield tallies


def report(tallies: dict[str, Tally]) -> list[Any]:
    """Print the table and return the rows of the results file."""
    base, reference = tallies[BASE], np.array(tallies["default"].energies_ev)
    rows = [
        make_row("cells", len(base.iterations), ""),
        make_row("geometries", len(base.cpu_s), ""),
    ]
    print(f"policy: {', '.join(base.means())}; in brackets, saved against {BASE}")
    for name, tally in tallies.items():
        difference = abs(np.array(tally.energies_ev) - reference).max() / HARTREE_TO_EV
        pairs = {key: (value, base.means()[key]) for key, value in tally.means().items()}
        cells = "  ".join(f"{a:7.2f} ({100 * (1 - a / b):4.0f} %)" for a, b in pairs.values())
        print(f"{name:20} {cells}  dropped {tally.dropped}, dE {difference:.0e} Ha")
        target = "-25 %, stretch -40 %" if name in {"corrected", "auto"} else ""
        rows += [
            make_row(
                f"{name}: {key}",
                value,
                "s" if key == "CPU" else "",
                reference=against,
                target=target if key.startswith("iterations") else "",
            )
            for key, (value, against) in pairs.items()
        ]
        rows.append(make_row(f"{name}: largest energy difference", difference, "Ha"))
        rows.append(make_row(f"{name}: starts dropped", tally.dropped, ""))
    return rows


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("espresso_store"))
    parser.add_argument("--seconds", type=int, default=2400, help="of training, if there is none")
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--geometries", type=int, default=6)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--augmented", action="store_true")
    arguments = parser.parse_args()
    predictor: Predictor
    small = arguments.quick or arguments.augmented
    if small:
        crystal = diamond("Ge", 5.66) if arguments.augmented else diamond()
        crystal = crystal.get_primitive_structure()
        files = PAW_GERMANIUM if arguments.augmented else SILICON
        cell = Cell(crystal, (1, 1, 1) if arguments.augmented else (2, 2, 2), files)
        atoms = cell.code().atomic_reference(crystal.atomic_numbers)
        predictor = AtomicPredictor(reference=atoms.to_dict())
    else:
        cell = Cell(diamond(), (1, 1, 1))
        pipeline = Pipeline(arguments.store, 1)
        predictor = pipeline.train(pipeline.label(divided_cells()[0]), arguments.seconds)
    chosen = displaced(cell.structure, 1 if small else arguments.cells, cell)
    name = f"{NAME}_augmented" if arguments.augmented else NAME
    for tallies in measure(chosen, predictor, 3 if arguments.quick else arguments.geometries):
        rows = report(tallies)
        # After every cell, so that a run that is stopped leaves what it found.
        if not arguments.quick:
            write_results(name, rows)


if __name__ == "__main__":
    main()
