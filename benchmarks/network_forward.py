"""Time the networks on molecules of the size of QM9, one thread, float32.

Run ``OMP_NUM_THREADS=1 python benchmarks/network_forward.py [--quick]``. Weights are random, which
costs what trained ones cost.

Preset b (8 layers, degrees up to 6, midpoints) is timed side by side with the published algorithm
of ``network_published.py``: by our legacy network, which has the same weights and the same output,
and by our equivariant one of the same sizes. The floor is what all matrix products of one pass
would cost at the speed of large ones, measured in the same run.

For the compact network, the default one, the forward pass takes a graph and gives coefficients;
the prediction includes the neighbour list and the assembly of the density. Seconds are CPU seconds
of the process, the least of several repeats.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from network_published import Edges, PublishedNetwork, published_names
from preset_cases import cpu_median, molecule
from results_file import Row, machine, make_row, write_results
from torch.utils.flop_counter import FlopCounterMode

from scdp_models.basis.even_tempered import even_tempered_basis
from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import shell_charge
from scdp_models.checkpoint import Checkpoint
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.graph import build_graph, collate
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.escn.frames import frames_to_z, from_polar_y
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.presets import find_preset
from scdp_models.nn.readout import function_columns
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


class Side(NamedTuple):
    """A published preset as its authors compute it, and as we do, with the same weights."""

    published: Callable[[], torch.Tensor]
    legacy: Callable[[], torch.Tensor]
    equivariant: Callable[[], torch.Tensor]
    legacy_network: DensityNetwork
    equivariant_network: DensityNetwork
    n_nodes: int
    n_edges: int


def preset_b(name: str) -> Side:
    """Set up preset b with random weights for a molecule."""
    density = molecule(name, "b").density
    preset = find_preset("K8L6-b2.0-vo")
    basis = even_tempered_basis([1, 6, 7, 8, 9], beta=2.0, midpoints=True)
    torch.manual_seed(0)
    legacy = DensityNetwork(preset.legacy().network, basis).float().eval()
    equivariant = DensityNetwork(preset.network, basis).float().eval()
    graph = build_graph(density.numbers, density.positions, preset.network.cutoff)
    graph = graph.to(torch.float32)
    vectors = -graph.vectors / graph.vectors.norm(dim=1, keepdim=True)
    # The frames with polar axis z, for the polar axis y of the published network.
    order = [1, 2, 0]
    frames = frames_to_z(from_polar_y(vectors))[:, order][:, :, order]
    edges = Edges(graph.source, graph.target, graph.vectors.norm(dim=1), frames)
    escn = legacy.trunk.config
    outputs, _ = function_columns(basis)
    published = PublishedNetwork(escn, published_names(legacy.state_dict()), outputs)
    with torch.inference_mode():
        for _ in range(3):  # TorchScript compiles
            one = torch.zeros(1, published.readout.irreps_in1.dim)
            published.readout(one, one)
    numbers, species = graph.numbers, legacy.species(graph.numbers)

    def ours() -> torch.Tensor:
        features = legacy.features(graph, species, frames)
        return legacy.readout.published(features, species, graph.structure)

    return Side(
        lambda: published(numbers, edges, density.n_functions)[1],
        ours,
        lambda: equivariant.padded(graph).rows,
        legacy,
        equivariant,
        graph.n_nodes,
        len(graph.source),
    )


def product_rate() -> float:
    """Return how many GFLOP one CPU second of large matrix products does."""
    one = torch.randn(1024, 1024)
    return 2e-9 * 1024**3 / cpu_median([lambda: one @ one], 7)[0]


def compare(name: str, repeats: int) -> list[Row]:
    """Measure preset b side by side, print the table and return the rows."""
    side = preset_b(name)
    with torch.inference_mode():
        side.equivariant()
        found: dict[str, torch.Tensor] = {}
        calls = [
            lambda: found.update(published=side.published()),
            lambda: found.update(legacy=side.legacy()),
            side.equivariant,
        ]
        theirs, ours, exact = cpu_median(calls, repeats)
        expected = found["published"]
        distance = float((found["legacy"] - expected).norm() / expected.norm())
        with FlopCounterMode(display=False) as counter:
            side.legacy()
        work, rate = 1e-9 * counter.get_total_flops(), product_rate()
        with FlopCounterMode(display=False) as counter:
            side.equivariant()
        exact_work = 1e-9 * counter.get_total_flops()
    what = f"preset b, {name}, {side.n_nodes} nodes, {side.n_edges} edges"
    goal = "at least 5 (stretch 10)"
    rows = [
        make_row(f"{what}: published arithmetic, CPU time ratio", theirs / ours, "", target=goal),
        make_row(f"{what}: equivariant, CPU time ratio", theirs / exact, "", target=goal),
        make_row(f"{what}: published arithmetic", ours, "CPU s", reference=theirs),
        make_row(f"{what}: equivariant", exact, "CPU s", reference=theirs),
        make_row(f"{what}: distance", distance, "relative L2", target="at most 1e-5"),
        make_row(f"{what}: matrix products", work, "GFLOP"),
        make_row(f"{what}: matrix products, equivariant", exact_work, "GFLOP"),
        make_row("speed of large matrix products", rate, "GFLOP/s"),
        make_row(f"{what}: times the floor of its matrix products", ours * rate / work, ""),
        make_row(f"{what}: times the floor, equivariant", exact * rate / exact_work, ""),
    ]
    for row in rows:
        print(f"{row['name']:<80} {row['value']:10.3g} {row['unit']}  {row['target']}")
    return rows


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats")
    quick = parser.parse_args().quick
    repeats = 3 if quick else 20
    torch.set_num_threads(1)
    print(f"float32, one thread, {machine()}")
    compared = compare("anisidine (QM9 size)", 1 if quick else 3)
    predictor = model()
    rows = [row for n in CHAINS for row in rows_of(predictor, n, repeats)]
    print("compact network, default size")
    for row in rows:
        print(f"{row['name']:<55} {row['value']:8.2f} {row['unit']}")
    print(f"compare: {PUBLISHED}")
    write_results("network_forward", [*compared, *rows])


if __name__ == "__main__":
    main()
