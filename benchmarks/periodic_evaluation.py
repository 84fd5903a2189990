"""Time crystals against the published expansion in images.

Run ``OMP_NUM_THREADS=1 python benchmarks/periodic_evaluation.py [--quick]``. MgO in its primitive
cell and a triclinic cell, 48 x 48 x 48 points. The published algorithm lists all pairs of a point
and every image in ceil(5 Å / height) cells around before it cuts at 5 Å; it is timed on a random
part of the points and scaled up. Ours as it comes, without cut-off, chooses waves, which hold all
images. Asked for the cut-off it sums the same pairs by tables.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from pairwise_published import CUTOFF, nodes_of, published_density
from preset_cases import cpu_median, random_density
from results_file import Row, machine, make_row, write_results

from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.grids import grid_points
from scdp_models.density.reference import pairwise_density

SHAPE = (48, 48, 48)
CRYSTALS = {
    "MgO, primitive cell": 0.5 * 4.212 * (1 - np.eye(3)),
    "MgO, triclinic cell": np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]]),
}


def measure(name: str, n_points: int, repeats: int) -> list[Row]:
    """Time all ways on one crystal and print the line of the table."""
    cell, origin = CRYSTALS[name], np.zeros(3)
    places = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]) @ cell
    density = random_density([12, 8], places, "a", cell=cell, pbc=(True, True, True))
    points = grid_points(origin, cell, SHAPE)
    chosen = np.random.default_rng(0).permutation(len(points))[:n_points]
    sample, nodes = torch.as_tensor(points[chosen]).float(), nodes_of(density)
    with torch.no_grad():
        published = published_density(nodes, sample, chunk=500).numpy()
        times = cpu_median(
            [
                lambda: evaluate_on_grid(density, origin, cell, SHAPE, cutoff=CUTOFF, threads=1),
                lambda: evaluate_on_grid(density, origin, cell, SHAPE, threads=1),
                lambda: published_density(nodes, sample, chunk=500),
            ],
            repeats,
        )
    cut, whole, pairwise = (*times[:2], times[2] * len(points) / len(chosen))
    found = evaluate_on_grid(density, origin, cell, SHAPE, cutoff=CUTOFF).ravel()[chosen]
    distance = np.linalg.norm(found - published) / np.linalg.norm(published)
    waves = evaluate_on_grid(density, origin, cell, SHAPE).ravel()[chosen[:100]]
    error = float(np.abs(waves - pairwise_density(density, points[chosen[:100]])).max())
    print(
        f"{name:22s} {pairwise:9.2f} {cut:8.3f} {pairwise / cut:6.0f} {distance:9.1e} "
        f"{whole:8.3f} {pairwise / whole:6.0f} {error:9.1e}",
        flush=True,
    )
    return [
        make_row(
            f"{name}: CPU time ratio, as chosen: waves", pairwise / whole, "", target="at least 100"
        ),
        make_row(f"{name}: waves, all images", whole, "CPU s", reference=pairwise),
        make_row(f"{name}: largest error of waves", error, "e/Å^3", target="at most 1e-6"),
        make_row(f"{name}: CPU time ratio, tables, 5 Å", pairwise / cut, "", target="at least 100"),
        make_row(f"{name}: distance, tables, 5 Å", distance, "relative L2", target="at most 1e-5"),
    ]


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer points and repeats")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(f"{machine()}; {SHAPE} points, basis etb-2.0; CPU seconds, one thread")
    print(
        f"{'crystal':22s} {'published':>9s} {'tables':>8s} {'ratio':>6s} {'rel. L2':>9s} "
        f"{'waves':>8s} {'ratio':>6s} {'error':>9s}"
    )
    rows: list[Row] = []
    for name in CRYSTALS:
        rows += measure(name, *((500, 1) if quick else (2_000, 3)))
    print(f"written to {write_results('periodic_evaluation', rows)}")


if __name__ == "__main__":
    main()
