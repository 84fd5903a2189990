"""Time and memory of streamed grids of growing boxes of water.

Run ``OMP_NUM_THREADS=1 python benchmarks/water_boxes.py [--quick]``. Periodic boxes at the density
of the liquid, basis etb-2.0 without midpoints, spacing 0.2 Å, in slabs of 64 MiB at most, nothing
kept of them. Each box runs in a fresh process, whose largest resident size is the memory shown;
boxes take turns, and the medians of the CPU seconds count. A pair is a function and a point that
the tolerance makes it reach, images of the cell included.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from preset_cases import water_box
from results_file import Row, machine, make_row, write_results

from scdp_models.density.evaluate import evaluate_on_grid, iter_slabs
from scdp_models.density.options import Accuracy
from scdp_models.density.screening import shared_radii

if TYPE_CHECKING:
    from collections.abc import Sequence

SPACING = 0.2
MOLECULES = (10, 100, 1_000, 3_333)
FEWEST_ATOMS = 600  # what is evaluated at least, by repetition


def run_one(n_molecules: int) -> None:
    """Stream one box; print CPU seconds, peak memory in MB, atoms, points and pairs."""
    warm = water_box(1, "a", spacing=1.0)
    evaluate_on_grid(warm.density, np.zeros(3), warm.cell, warm.shape, threads=1)
    case = water_box(n_molecules, "a", spacing=SPACING)
    repeats = -(-FEWEST_ATOMS // len(case.density.numbers))
    start = time.process_time()
    for _ in range(repeats):
        for slab in iter_slabs(case.density, np.zeros(3), case.cell, case.shape, threads=1):
            slab.sum()
    seconds = (time.process_time() - start) / repeats
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shells = np.arange(len(case.density.shell_ls))
    reach = shared_radii(case.density, shells, Accuracy().tolerance / 2)
    volumes = 4 / 3 * np.pi * (reach / SPACING) ** 3
    pairs = float((volumes * (2 * case.density.shell_ls + 1)).sum())
    print(seconds, peak, len(case.density.numbers), np.prod(case.shape), pairs)


def measure(molecules: Sequence[int], rounds: int) -> list[Row]:
    """Let the boxes take turns, print the table and return its rows."""
    runs: dict[int, list[list[float]]] = {n: [] for n in molecules}
    for _ in range(rounds):
        for n_molecules, found in runs.items():
            command = [sys.executable, __file__, "--one", str(n_molecules)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
            found.append([float(word) for word in result.stdout.split()])
    rows: list[Row] = []
    for found in runs.values():
        seconds, peak, atoms, points, pairs = np.median(found, axis=0).tolist()
        per_atom, per_pair = 1e3 * seconds / atoms, 1e9 * seconds / pairs
        print(
            f"{atoms:7.0f} {points:10.0f} {seconds:8.2f} {per_atom:8.2f} {per_pair:8.3f} "
            f"{peak:8.0f}"
        )
        rows += [
            make_row(f"{atoms:.0f} atoms: CPU time", per_atom, "ms/atom", target="within 20 %"),
            make_row(f"{atoms:.0f} atoms: CPU time of a pair", per_pair, "ns"),
            make_row(f"{atoms:.0f} atoms: peak memory", peak, "MB", target="below 8000"),
        ]
    return rows


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 300 atoms, one round")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each box (default: 3)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one)
        return
    print(f"{machine()}; spacing {SPACING} Å; CPU seconds, one thread")
    head = ("atoms", "points", "CPU s", "ms/atom", "ns/pair", "peak MB")
    print(f"{head[0]:>7s} {head[1]:>10s} " + " ".join(f"{word:>8s}" for word in head[2:]))
    chosen = (MOLECULES[:2], 1) if arguments.quick else (MOLECULES, arguments.rounds)
    rows = measure(*chosen)
    print(f"written to {write_results('water_boxes', rows)}")


if __name__ == "__main__":
    main()
