"""Time a training step on probes against autograd through the published pairwise algorithm.

Run ``OMP_NUM_THREADS=1 python benchmarks/training_probes.py [--quick]``. A step is the density at
20 000 probes of a molecule, a mean absolute value, and the gradient for all coefficients (and, in
the second line, exponents). CPU seconds are medians of interleaved runs; memory is what each way
adds to the largest resident size of a fresh process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import torch
from pairwise_published import CUTOFF, nodes_of, published_density
from preset_cases import cpu_median, molecule
from results_file import Row, machine, make_row, write_results

from scdp_models.density.autograd import density_at_points
from scdp_models.density.shell_index import ShellIndex

if TYPE_CHECKING:
    from collections.abc import Callable

N_PROBES = 20_000
MOLECULE = "anisidine (QM9 size)"


def steps(preset: str) -> dict[str, Callable[[], object]]:
    """Return one training step for each way to take it."""
    case = molecule(MOLECULE, preset)
    density = case.density
    probes = torch.as_tensor(np.random.default_rng(0).uniform(size=(N_PROBES, 3)) @ case.cell)
    index = ShellIndex.of(density, cutoff=CUTOFF)
    positions = torch.as_tensor(density.positions)

    def ours(*, scaled: bool = False) -> None:
        coefficients = torch.tensor(density.coefficients, dtype=torch.float32, requires_grad=True)
        exponents = torch.tensor(density.shell_exponents, requires_grad=scaled)
        values = density_at_points(index, positions, exponents, coefficients, probes)
        values.abs().mean().backward()

    def published() -> None:
        nodes = nodes_of(density, requires_grad=True)
        values = published_density(nodes, probes.float(), chunk=N_PROBES)
        values.abs().mean().backward()

    return {"ours": ours, "with exponents": lambda: ours(scaled=True), "published": published}


def peak(way: str, preset: str) -> float:
    """Return by how many MB one step raises the largest resident size of a fresh process."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, __file__, "--peak", way, preset],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(result.stdout)


def print_peak(way: str, preset: str) -> None:
    """Print the figure that :func:`peak` reads."""
    step = steps(preset)[way]
    if way == "ours":
        # Compiled code is loaded once, whatever the number of probes.
        small = molecule("water", "a").density
        index = ShellIndex.of(small)
        points = torch.zeros((8, 3), dtype=torch.float64)
        arrays = (small.positions, small.shell_exponents, small.coefficients)
        tensors = [torch.tensor(a) for a in arrays]
        tensors[2].requires_grad_()
        density_at_points(index, *tensors, points).sum().backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def measure(preset: str, repeats: int) -> list[Row]:
    """Time all ways on one preset."""
    ways = steps(preset)
    ways["ours"]()
    times = dict(zip(ways, cpu_median(list(ways.values()), repeats), strict=True))
    memory = {way: peak(way, preset) for way in ("ours", "published")}
    faster, smaller = times["published"] / times["ours"], memory["published"] / memory["ours"]
    print(
        f"{preset}: {times['published']:.3f} / {times['ours']:.3f} CPU s = {faster:.1f} (with "
        f"exponents {times['published'] / times['with exponents']:.1f}); "
        f"{memory['published']:.0f} / {memory['ours']:.0f} MB = {smaller:.1f}",
        flush=True,
    )
    name = f"{MOLECULE}, preset {preset}, {N_PROBES} probes"
    return [
        make_row(f"{name}: CPU time ratio", faster, "", target="at least 5"),
        make_row(f"{name}: memory ratio", smaller, "", target="at least 5"),
        make_row(f"{name}: step", times["ours"], "CPU s", reference=times["published"]),
        make_row(f"{name}: peak", memory["ours"], "MB", reference=memory["published"]),
    ]


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="preset a only, fewer repeats")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.peak:
        print_peak(*arguments.peak)
        return
    print(f"{machine()}; {MOLECULE}, {N_PROBES} probes; published / ours, one thread")
    rows: list[Row] = []
    for preset in "a" if arguments.quick else "abc":
        rows += measure(preset, 3 if arguments.quick else 7)
    print(f"written to {write_results('training_probes', rows)}")


if __name__ == "__main__":
    main()
