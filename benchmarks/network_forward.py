"""Time the compact network on molecules of the size of QM9, one thread, float32.

Run ``OMP_NUM_THREADS=1 python benchmarks/network_forward.py [--quick]``. Weights are random, which
costs what trained ones cost. The forward pass takes a graph and gives coefficients; the prediction
includes the neighbour list and the assembly of the density. Seconds are CPU seconds of the process,
the least of several repeats.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from results_file import Row, machine, make_row, write_results

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import shell_charge
from scdp_models.checkpoint import Checkpoint
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.graph import build_graph, collate
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.predict import Geometry, Model

if TYPE_CHECKING:
    from collections.abc import Callable

ELECTRONS = {1: 1.0, 6: 4.0, 7: 5.0, 8: 6.0}
BATCHES = (1, 16)
# The mean of QM9 is 18 atoms, its largest molecules have 29.
CHAINS = (2, 5, 9)
PUBLISHED = "official SCDP network, K=4 and L=3, ethanol of 9 atoms, Zen 4 class: 520 ms of CPU"


def chain(n_carbons: int) -> Geometry:
    """Build an all-trans alkane C_n H_(2n+2), which has about the shape of a QM9 molecule."""
    bond, half, hydrogen = 1.53, np.radians(111.7) / 2, 1.09
    step = np.array([bond * np.sin(half), bond * np.cos(half), 0.0])
    places = np.arange(n_carbons + 2)
    signs = (-1.0) ** places
    spine = step * np.stack([places, 0.5 * signs, 0 * signs], axis=1)
    carbons, atoms = spine[1:-1], []
    for carbon, sign in zip(carbons, signs[1:-1], strict=True):
        outwards = np.array([0.0, sign * np.cos(np.radians(53.5)), np.sin(np.radians(53.5))])
        atoms += [carbon + hydrogen * outwards, carbon + hydrogen * outwards * [1, 1, -1]]
    for end, inner in ((spine[0], spine[1]), (spine[-1], spine[-2])):
        atoms.append(inner + hydrogen * (end - inner) / np.linalg.norm(end - inner))
    numbers = [6] * n_carbons + [1] * len(atoms)
    return Geometry(numbers, np.concatenate([carbons, np.array(atoms)]))


def model() -> Model:
    """Return the default network with random weights."""
    charge = float(shell_charge(0, 0.5))
    atoms = {z: AtomicDensity(n, (0.5,), (n / charge,)) for z, n in ELECTRONS.items()}
    config, basis = NetworkConfig(), lean_basis(ELECTRONS)
    torch.manual_seed(0)
    network = DensityNetwork(config, basis, mean_neighbours=12.0)
    reference = AtomicReference("one Gaussian", atoms)
    return Model(Checkpoint(config, basis, reference, {}, network.state_dict()))


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time of several calls, after one that is not counted."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def rows_of(predictor: Model, n_carbons: int, repeats: int) -> list[Row]:
    """Measure one molecule alone and in batches."""
    molecule, rows = chain(n_carbons), []
    network = predictor._network  # noqa: SLF001 - the forward pass alone
    graph = build_graph(molecule.numbers, molecule.positions, network.config.cutoff)
    for size in BATCHES:
        batch = collate([graph] * size).to(torch.float32)

        def forward(batch: object = batch) -> None:
            with torch.no_grad():
                network(batch)

        def predict(size: int = size) -> None:
            predictor.predict_batch([molecule] * size)

        for name, work in (("forward pass", forward), ("prediction", predict)):
            milliseconds = 1e3 * cpu_seconds(work, repeats) / size
            what = f"{name}, {graph.n_nodes} atoms, batch {size}, per molecule"
            comparable = name == "forward pass" and size == 1 and n_carbons == CHAINS[0]
            reference = PUBLISHED if comparable else None
            rows.append(make_row(what, milliseconds, "ms", reference=reference))
    return rows


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats")
    repeats = 3 if parser.parse_args().quick else 20
    torch.set_num_threads(1)
    predictor = model()
    rows = [row for n in CHAINS for row in rows_of(predictor, n, repeats)]
    print(f"compact network, default size, float32, one thread, {machine()}")
    for row in rows:
        print(f"{row['name']:<55} {row['value']:8.2f} {row['unit']}")
    print(f"compare: {PUBLISHED}")
    write_results("network_forward", rows)


if __name__ == "__main__":
    main()
