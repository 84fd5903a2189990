"""Measure how equivariant the sphere-grid activation of eSCN is, against its oversampling.

Run ``OMP_NUM_THREADS=1 python benchmarks/s2_oversampling.py [--quick]``. Ethanol is rotated and
reflected; the figure is the largest relative L2 change of the node features once they are turned
back, in double precision and with the first random weights. The exact (gated) activation is
measured beside it, as are the CPU seconds of a forward pass in single precision.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from results_file import Row, machine, make_row, write_results
from scipy.linalg import block_diag

from scdp_models.density.orbital import rotation_matrix
from scdp_models.graph import AtomGraph, build_graph
from scdp_models.nn.escn.trunk import EscnConfig, EscnTrunk
from scdp_models.testing import random_rotations

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0)
NUMBERS = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])
POSITIONS = np.array(
    [
        [-1.19, -0.40, 0.02],
        [0.00, 0.56, 0.00],
        [1.20, -0.21, -0.03],
        [-1.15, -1.02, 0.92],
        [-1.17, -1.06, -0.86],
        [-2.13, 0.17, 0.01],
        [-0.05, 1.22, 0.88],
        [-0.04, 1.21, -0.89],
        [1.94, 0.40, 0.05],
    ]
)
SPECIES = torch.as_tensor(np.searchsorted([1, 6, 8], NUMBERS))
CUTOFF = 6.0


def trunk(lmax: int, **settings: float | str) -> EscnTrunk:
    """Build a trunk of four layers with random weights, the same for the same shape."""
    torch.manual_seed(0)
    config = EscnConfig(
        lmax=lmax,
        n_channels=32,
        n_hidden=64,
        edge_channels=32,
        distance_spacing=0.2,
        **settings,  # type: ignore[arg-type]
    )
    return EscnTrunk(config, 3, 8.0)


def graph(matrix: np.ndarray) -> AtomGraph:
    """Turn ethanol by an orthogonal matrix."""
    return build_graph(NUMBERS, POSITIONS @ matrix.T, CUTOFF)


def equivariance_error(network: EscnTrunk) -> float:
    """Return the largest relative error over two rotations and two reflections."""
    network = network.double()
    worst = 0.0
    with torch.no_grad():
        before = network(graph(np.eye(3)), SPECIES)
        for matrix in random_rotations(2, 2):
            blocks = [rotation_matrix(l, matrix) for l in range(network.config.lmax + 1)]
            expected = before @ torch.as_tensor(block_diag(*blocks)).T
            found = network(graph(matrix), SPECIES)
            worst = max(worst, float((found - expected).norm() / expected.norm()))
    return worst


def seconds(network: EscnTrunk, repeats: int) -> float:
    """Return the least CPU seconds of a forward pass."""
    network, molecule = network.float(), graph(np.eye(3)).to(torch.float32)
    times = []
    with torch.no_grad():
        for _ in range(repeats):
            start = time.process_time()
            network(molecule, SPECIES)
            times.append(time.process_time() - start)
    return min(times)


def rows(lmax: int, factors: tuple[float, ...], repeats: int) -> list[Row]:
    """Measure all activations of one degree."""
    cases: dict[str, dict[str, float | str]] = {"gate": {"activation": "gate"}}
    for factor in factors:
        cases[f"s2 x{factor:g}"] = {"activation": "s2", "oversampling": factor}
    found = []
    for name, settings in cases.items():
        network = trunk(lmax, **settings)
        error, cost = equivariance_error(network), seconds(network, repeats)
        print(f"L = {lmax}  {name:8s} error {error:8.1e}  {1e3 * cost:6.1f} ms")
        target = "< 1e-10" if name == "gate" else ""
        found.append(
            make_row(f"equivariance error, L={lmax}, {name}", error, "relative L2", target=target)
        )
        found.append(make_row(f"forward, L={lmax}, {name}", 1e3 * cost, "ms of CPU"))
    return found


def main() -> None:
    """Measure and write ``results/s2_oversampling.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="L = 3 only, fewer repeats")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(machine())
    found: list[Row] = []
    for lmax in (3,) if quick else (3, 6):
        found += rows(lmax, FACTORS, 3 if quick else 10)
    if not quick:
        write_results("s2_oversampling", found)


if __name__ == "__main__":
    main()
