"""Measure how fast training samples come from shards, and what memory that takes.

Run ``OMP_NUM_THREADS=1 python benchmarks/loading.py [--quick]``. Shards of synthetic samples with
their grids are written, then read in random order, as training does; reading a sample with its grid
is compared with a step of the network on the same sample. Memory is what reading adds to the peak
of the process, beside the size of all shards. Pages of files that the system keeps are not counted:
it gives them back when they are needed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from results_file import Row, machine, make_row, write_results

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import shell_charge
from scdp_models.data.samples import GridLabel, make_sample
from scdp_models.data.shards import ShardReader, pack_shard
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.graph import build_graph, collate
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample

NUMBERS = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])
GRID = (72, 72, 72)
N_PROBES = 400


def anonymous_mb() -> float:
    """Return the memory of this process that is its own, in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1e3


def sample(number: int) -> TrainingSample:
    """Return one sample of nine atoms with a grid."""
    chance = np.random.default_rng(number)
    lattice = np.stack(np.meshgrid(*[[0.0, 1.4, 2.8]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions = lattice[:: len(lattice) // len(NUMBERS)][: len(NUMBERS)]
    positions = positions + chance.normal(scale=0.05, size=positions.shape)
    basis = lean_basis(NUMBERS.tolist())
    electrons = {1: 1.0, 6: 4.0, 8: 6.0}
    charge = float(shell_charge(0, 0.5))
    atoms = {z: AtomicDensity(n, (0.5,), (n / charge,)) for z, n in electrons.items()}
    reference = AtomicReference("one Gaussian", atoms)
    fit = reference.superposition(NUMBERS, positions)
    fit = fit + OrbitalDensity.from_basis(basis, NUMBERS, positions)
    values = chance.random(GRID, dtype=np.float32)
    grid = GridLabel(values, np.zeros(3), 12.0 * np.eye(3))
    return make_sample(f"sample {number}", fit, basis, reference, target="delta", grid=grid)


def read_rows(paths: list[Path], n_reads: int) -> list[Row]:
    """Measure reading in random order."""
    reader = ShardReader(paths)
    order = np.random.default_rng(0).integers(len(reader), size=n_reads)
    before, peak, total = anonymous_mb(), 0.0, 0.0
    start = time.perf_counter()
    for index in order:
        found = reader[int(index)]
        if found.grid is None:
            raise SystemExit("the samples have lost their grids")
        probes = np.random.default_rng(int(index)).integers(np.prod(GRID), size=N_PROBES)
        total += float(found.grid.values.reshape(-1)[probes].sum())
        peak = max(peak, anonymous_mb())
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in paths) / 1e6
    return [
        make_row("size of all shards", size, "MB"),
        make_row("reading one sample with its grid", 1e3 * seconds / n_reads, "ms"),
        make_row(
            "memory added by reading", peak - before, "MB", reference=size, target="below 100 MB"
        ),
    ]


def step_row(first: TrainingSample, repeats: int) -> Row:
    """Measure forward and backward pass of the default network on one structure."""
    config, basis = NetworkConfig(), lean_basis(NUMBERS.tolist())
    torch.manual_seed(0)
    network = DensityNetwork(config, basis, mean_neighbours=12.0)
    atoms = first.template.numbers > 0
    numbers, positions = first.template.numbers[atoms], first.template.positions[atoms]
    batch = collate([build_graph(numbers, positions, config.cutoff)]).to(torch.float32)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = network(batch)
        tensors = out if isinstance(out, (list, tuple)) else [out]
        torch.stack([tensor.square().sum() for tensor in tensors]).sum().backward()
        seconds.append(time.perf_counter() - start)
    return make_row("forward and backward pass on one structure", 1e3 * min(seconds), "ms")


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples")
    quick = parser.parse_args().quick
    n_shards, per_shard, n_reads = (4, 4, 30) if quick else (40, 16, 1500)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        paths, before, peak = [], anonymous_mb(), 0.0
        for shard in range(n_shards):
            path = Path(folder) / f"{shard}.safetensors"
            path.write_bytes(pack_shard([sample(shard * per_shard + i) for i in range(per_shard)]))
            paths.append(path)
            peak = max(peak, anonymous_mb())
        rows = [make_row("memory added by packing", peak - before, "MB", target="of one shard")]
        rows += read_rows(paths, n_reads)
        step = step_row(ShardReader(paths)[0], 3 if quick else 10)
    reading = next(row for row in rows if row["name"].startswith("reading"))
    share = 100 * reading["value"] / step["value"]
    rows += [step, make_row("reading, of that pass", share, "%", target="below 20 %")]
    print(f"training input, {n_shards} shards of {per_shard}, one thread, {machine()}")
    for row in rows:
        print(f"{row['name']:<45} {row['value']:10.3f} {row['unit']}")
    if not quick:
        write_results("loading", rows)


if __name__ == "__main__":
    main()
