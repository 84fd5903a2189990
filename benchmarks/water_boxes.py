"""Time and memory of streamed grids of growing boxes of water.

Run ``OMP_NUM_THREADS=1 python benchmarks/water_boxes.py [--quick]``. Periodic boxes at the density
of the liquid, basis etb-2.0 without midpoints, spacing 0.2 Å, in slabs of 64 MiB at most, nothing
kept of them. Each box runs in a fresh process, whose largest resident size is the memory shown.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from preset_cases import water_box
from results_file import Row, machine, make_row, write_results

from scdp_models.density.evaluate import evaluate_on_grid, iter_slabs

SPACING = 0.2
MOLECULES = (10, 100, 1_000, 3_333)


def run_one(n_molecules: int) -> None:
    """Stream one box; print CPU seconds, peak memory in MB, and error of the charge."""
    warm = water_box(1, "a", spacing=1.0)
    evaluate_on_grid(warm.density, np.zeros(3), warm.cell, warm.shape, threads=1)
    case = water_box(n_molecules, "a", spacing=SPACING)
    start = time.process_time()
    total = 0.0
    for slab in iter_slabs(case.density, np.zeros(3), case.cell, case.shape, threads=1):
        total += float(slab.sum())
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, peak, len(case.density.numbers), np.prod(case.shape))


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 300 atoms")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one)
        return
    print(f"{machine()}; spacing {SPACING} Å; CPU seconds, one thread")
    print(f"{'atoms':>7s} {'points':>10s} {'CPU s':>8s} {'ms/atom':>8s} {'peak MB':>8s}")
    rows: list[Row] = []
    for n_molecules in MOLECULES[:2] if arguments.quick else MOLECULES:
        command = [sys.executable, __file__, "--one", str(n_molecules)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        seconds, peak, atoms, points = (float(word) for word in result.stdout.split())
        per_atom = 1000 * seconds / atoms
        print(f"{atoms:7.0f} {points:10.0f} {seconds:8.2f} {per_atom:8.2f} {peak:8.0f}", flush=True)
        rows += [
            make_row(f"{atoms:.0f} atoms: CPU time", per_atom, "ms/atom", target="within 20 %"),
            make_row(f"{atoms:.0f} atoms: peak memory", peak, "MB", target="below 8000"),
        ]
    print(f"written to {write_results('water_boxes', rows)}")


if __name__ == "__main__":
    main()
