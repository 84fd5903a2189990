"""Time the grid kernels against the published pairwise algorithm, side by side.

Run ``OMP_NUM_THREADS=1 python benchmarks/grid_evaluation.py [--quick]``. Every shell has a random
coefficient, so that nothing is screened away that a real density would hold. The figure that
counts is the ratio of CPU seconds of the process on the same inputs; the pairwise algorithm is
timed on a random part of the grid points and scaled up. Ours is timed with its 5 Å cut-off, for the
same output, and without, for all of the density.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from pairwise_published import CUTOFF, nodes_of, published_density
from preset_cases import MOLECULES, PRESETS, Case, cpu_median, molecule
from results_file import Row, machine, make_row, write_results

from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.grids import grid_points
from scdp_models.density.reference import pairwise_density
from scdp_models.density.screening import shared_radii

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-6
TARGETS = {"a": 100, "b": 120, "c": 200}
CHUNK = 4_000


def floor_operations(case: Case, points: NDArray[np.float64]) -> float:
    """Count the multiply-adds that screened separable sums need at least, from sampled points.

    One for each shell, power 0..l of one coordinate, and point within its radius: what the inner
    product of the separable form costs when everything else is free.
    """
    density = case.density
    every = np.arange(len(density.shell_ls))
    radii = np.minimum(shared_radii(density, every, TOLERANCE / 2), CUTOFF)
    distances = np.linalg.norm(points[:, None] - density.positions, axis=2)
    seen = distances[:, density.shell_centres] < radii
    return float((seen * (density.shell_ls + 1)).sum() / len(points) * np.prod(case.shape))


def measure(case: Case, preset: str, n_points: int, repeats: int) -> list[Row]:
    """Time the kernels on one case and print the line of the table."""
    origin = np.zeros(3)
    points = grid_points(origin, case.cell, case.shape)
    chosen = np.random.default_rng(2).permutation(len(points))[:n_points]
    sample, nodes = torch.as_tensor(points[chosen]).float(), nodes_of(case.density)
    with torch.no_grad():
        published = published_density(nodes, sample, chunk=CHUNK).numpy()
        cut, whole, pairwise = cpu_median(
            [
                lambda: evaluate_on_grid(
                    case.density, origin, case.cell, case.shape, cutoff=CUTOFF, threads=1
                ),
                lambda: evaluate_on_grid(
                    case.density, origin, case.cell, case.shape, method="separable", threads=1
                ),
                lambda: published_density(nodes, sample, chunk=CHUNK),
            ],
            repeats,
        )
    pairwise *= len(points) / len(chosen)
    grid = evaluate_on_grid(case.density, origin, case.cell, case.shape, cutoff=CUTOFF)
    found = grid.ravel()[chosen]
    distance = np.linalg.norm(found - published) / np.linalg.norm(published)
    exact = pairwise_density(case.density, points[chosen[:500]], cutoff=CUTOFF)
    error = float(np.abs(found[:500] - exact).max())
    rate = 2e-9 * floor_operations(case, points[chosen[:300]]) / cut
    print(
        f"{case.name:32s} {len(points):8d} {pairwise:8.2f} {cut:8.4f} {pairwise / cut:6.0f} "
        f"{whole:8.4f} {pairwise / whole:6.0f} {distance:9.1e} {error:9.1e} {rate:6.1f}",
        flush=True,
    )
    goal = f"at least {TARGETS[preset]}"
    return [
        make_row(f"{case.name}: CPU time ratio, 5 Å cut-off", pairwise / cut, "", target=goal),
        make_row(f"{case.name}: CPU time ratio, no cut-off", pairwise / whole, "", target=goal),
        make_row(f"{case.name}: separable, 5 Å cut-off", cut, "CPU s", reference=pairwise),
        make_row(f"{case.name}: distance", distance, "relative L2", target="at most 1e-5"),
        make_row(f"{case.name}: largest error", error, "e/Å^3", target=f"at most {TOLERANCE:.0e}"),
        make_row(f"{case.name}: useful work", rate, "GFLOP/s"),
    ]


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer points and cases")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    names = list(MOLECULES)[:2] if quick else list(MOLECULES)
    print(f"{machine()}; tolerance {TOLERANCE} e/Å^3; CPU seconds, one thread")
    print(
        f"{'case':32s} {'points':>8s} {'pairwise':>8s} {'5 Å':>8s} {'ratio':>6s} {'all':>8s} "
        f"{'ratio':>6s} {'rel. L2':>9s} {'error':>9s} {'GF/s':>6s}"
    )
    warm = molecule("water", "a")
    evaluate_on_grid(warm.density, np.zeros(3), warm.cell, warm.shape)
    rows: list[Row] = []
    for name in names:
        for preset in PRESETS:
            n_points, repeats = (4_000, 3) if quick else (16_000, 5)
            rows += measure(molecule(name, preset), preset, n_points, repeats)
    print(f"written to {write_results('grid_evaluation', rows)}")


if __name__ == "__main__":
    main()
