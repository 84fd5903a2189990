"""Time the separable grid kernel against the pairwise reference, side by side.

Run ``OMP_NUM_THREADS=1 python benchmarks/grid_evaluation.py [--quick]``. Every shell has a random
coefficient, so that nothing is screened away that a real density would hold. The figure that
counts is the ratio of CPU seconds of the process on the same inputs; the reference is timed on a
random part of the grid points and scaled up, which also gives the error of the kernel.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from results_file import Row, machine, make_row, write_results

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.grids import grid_points
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.reference import pairwise_density

if TYPE_CHECKING:
    from collections.abc import Callable

SPACING = 0.13
PADDING = 4.0
TOLERANCE = 1e-6

# Even-tempered series of ratio 2 as they follow from def2-QZVPPD: species -> smallest exponent
# (bohr^-2) and number of shells for l = 0, 1, 2, ...; 21, 51 and 57 shells.
SERIES = {
    1: [(0.1606, 9), (0.1643, 7), (0.1681, 5)],
    6: [(0.0900, 16), (0.1169, 12), (0.1176, 11), (0.1529, 7), (0.1538, 5)],
    8: [(0.1393, 16), (0.1102, 14), (0.0872, 13), (0.1479, 9), (0.2509, 5)],
}

WATER = "O 0 0 0.117  H 0 0.757 -0.471  H 0 -0.757 -0.471"
ETHANOL = (
    "C 0.007 -0.569 0  C -1.285 0.250 0  O 1.130 0.315 0  H 0.039 -1.197 0.890  "
    "H 0.039 -1.197 -0.890  H -1.317 0.878 0.890  H -1.317 0.878 -0.890  H -2.142 -0.424 0  "
    "H 1.986 -0.136 0"
)
NUMBERS = {"H": 1, "C": 6, "O": 8}


class Case(NamedTuple):
    """A density and the grid to put it on."""

    name: str
    density: OrbitalDensity
    cell: np.ndarray
    shape: tuple[int, int, int]


def basis() -> BasisSet:
    """Return the even-tempered basis of :data:`SERIES`."""
    species = {}
    for number, series in SERIES.items():
        shells = [(l, a * 2.0**n) for l, (a, count) in enumerate(series) for n in range(count)]
        species[number] = ElementBasis(tuple(l for l, _ in shells), tuple(a for _, a in shells))
    return BasisSet("even-tempered, ratio 2", species)


def molecule(name: str, atoms: str, copies: int = 1) -> Case:
    """Put a molecule, or several copies side by side, into a box with random coefficients."""
    words = np.array(atoms.split()).reshape(-1, 4)
    one = words[:, 1:].astype(float)
    step = np.array([0.0, 0.0, 4.0])
    positions = np.concatenate([one + n * step for n in range(copies)])
    positions += PADDING - positions.min(axis=0)
    cell = np.diag(positions.max(axis=0) + PADDING)
    numbers = [NUMBERS[symbol] for symbol in words[:, 0]] * copies
    return _random_case(name, numbers, positions, cell=cell, pbc=(False, False, False))


def crystal(name: str) -> Case:
    """Fill a periodic orthorhombic cell of 12 atoms with random coefficients."""
    cell = np.diag([5.2, 6.1, 4.7])
    positions = np.random.default_rng(1).uniform(size=(12, 3)) @ cell
    return _random_case(name, [8] * 6 + [6] * 3 + [1] * 3, positions, cell=cell, pbc=(True,) * 3)


def _random_case(
    name: str,
    numbers: list[int],
    positions: np.ndarray,
    *,
    cell: np.ndarray,
    pbc: tuple[bool, ...],
) -> Case:
    empty = OrbitalDensity.from_basis(basis(), numbers, positions, cell=cell, pbc=pbc)
    coefficients = np.random.default_rng(0).normal(scale=0.1, size=empty.n_functions)
    density = OrbitalDensity.from_basis(
        basis(), numbers, positions, coefficients=coefficients, cell=cell, pbc=pbc
    )
    n_x, n_y, n_z = np.ceil(np.diag(cell) / SPACING).astype(int).tolist()
    return Case(name, density, cell, (n_x, n_y, n_z))


def cpu_seconds(function: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Return the least CPU seconds of several runs, and the last result."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return min(times), result


def measure(case: Case, n_points: int, repeats: int) -> list[Row]:
    """Time both kernels on one case and print the line of the table."""
    origin = np.zeros(3)
    points = grid_points(origin, case.cell, case.shape)
    chosen = np.random.default_rng(2).permutation(len(points))[:n_points]
    slow, exact = cpu_seconds(lambda: pairwise_density(case.density, points[chosen]), 1)
    slow *= len(points) / len(chosen)
    fast, grid = cpu_seconds(
        lambda: evaluate_on_grid(
            case.density, origin, case.cell, case.shape, method="separable", tolerance=TOLERANCE
        ),
        repeats,
    )
    error = float(np.abs(grid.ravel()[chosen] - exact).max())
    print(
        f"{case.name:24s} {len(case.density.numbers):5d} {case.density.n_functions:9d} "
        f"{len(points):10d} {slow:10.2f} {fast:10.4f} {slow / fast:8.0f} {error:10.1e}",
        flush=True,
    )
    goal = "at least 50" if case.name.startswith("ethanol") else ""
    return [
        make_row(f"{case.name}: CPU time ratio", slow / fast, "pairwise/separable", target=goal),
        make_row(f"{case.name}: separable", fast, "CPU s", reference=slow),
        make_row(f"{case.name}: largest error", error, "e/Å^3", target=f"at most {TOLERANCE:.0e}"),
    ]


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer points and cases")
    quick = parser.parse_args().quick
    cases = [molecule("water", WATER), molecule("ethanol", ETHANOL), crystal("crystal, 12 atoms")]
    if not quick:
        cases.append(molecule("six ethanol", ETHANOL, copies=6))
    print(f"{machine()}; spacing {SPACING} Å, tolerance {TOLERANCE} e/Å^3; CPU seconds")
    print(
        f"{'case':24s} {'atoms':>5s} {'functions':>9s} {'points':>10s} {'pairwise':>10s} "
        f"{'separable':>10s} {'ratio':>8s} {'error':>10s}"
    )
    rows: list[Row] = []
    for case in cases:
        n_points = 5_000 if quick else 50_000
        # A lattice sum costs the reference tens of images for each point.
        n_points //= 5 if any(case.density.pbc) else 1
        rows += measure(case, n_points, repeats=5 if quick else 9)
    print(f"written to {write_results('grid_evaluation', rows)}")


if __name__ == "__main__":
    main()
