"""Time the whole way from a structure to a CHGCAR on disk, against the published one.

Run ``OMP_NUM_THREADS=1 python benchmarks/structure_to_chgcar.py [--quick]``. Preset b (8 layers,
degrees up to 6, midpoints) on a molecule of 18 atoms and a grid of 9.8e5 points. The published is
the network of ``network_published.py``, the evaluation of ``pairwise_published.py`` and pymatgen's
``Chgcar.write_file``; it gets nodes and edges for nothing. Ours is what a prediction does, from
atoms to file, with the same weights, the published arithmetic and its cut-off at 5 Å; beside it the
equivariant network of the same sizes and all of the density. Weights are random, scaled so that
coefficients have the size of ``grid_evaluation.py``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from grid_evaluation import floor_operations
from network_forward import preset_b, product_rate
from pairwise_published import CUTOFF, nodes_of, published_density
from preset_cases import Case, molecule
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Chgcar, Poscar
from results_file import Row, machine, make_row, write_results
from torch.utils.flop_counter import FlopCounterMode

from scdp_flows.density import ChargeDensity
from scdp_flows.io.chgcar import read_chgcar, write_chgcar
from scdp_models.checkpoint import Checkpoint
from scdp_models.density.atomic import AtomicReference
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.grids import grid_points
from scdp_models.predict import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from network_forward import Side

    from scdp_models.density.orbital import OrbitalDensity

NAME = "anisidine (QM9 size)"
STEPS = ("network", "grid", "file")
CHUNK = 4_000
_SIZE = 0.1


class Timed(NamedTuple):
    """CPU seconds of each step, and the file."""

    seconds: list[float]
    path: Path


def _marks(work: list[Callable[[], None]]) -> list[float]:
    times = [time.process_time()]
    for step in work:
        step()
        times.append(time.process_time())
    return np.diff(times).tolist()


class Pipeline:
    """Both ways from the same structure to a file.

    Parameters
    ----------
    side
        The networks.
    folder
        Where files go.
    """

    def __init__(self, side: Side, folder: Path) -> None:
        self.side, self.folder = side, folder
        self.case = molecule(NAME, "b")
        self.atoms = self.case.density.numbers > 0
        with torch.inference_mode():
            rows = side.legacy()
        self.units = side.legacy_network.readout.units
        flat = self._flat(rows)
        self.scale = _SIZE / float(flat.pow(2).mean().sqrt())
        self.models = [
            self._model(network) for network in (side.legacy_network, side.equivariant_network)
        ]
        self.points = torch.as_tensor(
            grid_points(np.zeros(3), self.case.cell, self.case.shape)
        ).float()

    def _flat(self, rows: torch.Tensor) -> torch.Tensor:
        numbers = torch.as_tensor(self.case.density.numbers)
        flat: torch.Tensor = self.side.legacy_network.flatten(rows * self.units, numbers)
        return flat

    def _model(self, network: torch.nn.Module) -> Model:
        state = dict(network.state_dict())
        if "readout.scale" in state:
            state["readout.scale"] = torch.tensor([self.scale])
        none = AtomicReference("none", {})
        config = replace(network.config, project_charge=False)
        return Model(Checkpoint(config, network.basis, none, {}, state))

    def published(self, fraction: float) -> Timed:
        """Go the published way; a fraction of the points is evaluated and its time scaled up."""
        values = np.zeros(len(self.points), dtype=np.float32)
        chosen = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))
        chosen = chosen[: round(fraction * len(values))].sort().values
        densities: list[OrbitalDensity] = []
        path = self.folder / "CHGCAR_published"

        def network() -> None:
            flat = self._flat(self.side.published()).double().numpy() * self.scale
            densities.append(replace(self.case.density, coefficients=flat))

        def grid() -> None:
            points = self.points[chosen] if fraction < 1 else self.points
            found = published_density(nodes_of(densities[0]), points, chunk=CHUNK).numpy()
            values[chosen.numpy()] = found

        def file() -> None:
            numbers, places = self.case.density.numbers, self.case.density.positions
            cell = Lattice(self.case.cell)
            atoms = Structure(
                cell, numbers[self.atoms], places[self.atoms], coords_are_cartesian=True
            )
            grid = values.reshape(self.case.shape) * cell.volume
            Chgcar(Poscar(atoms), {"total": grid}).write_file(str(path))

        with torch.inference_mode():
            seconds = _marks([network, grid, file])
        seconds[1] /= fraction
        return Timed(seconds, path)

    def ours(self, model: Model, *, cutoff: float | None) -> Timed:
        """Go our way."""
        numbers, positions = self.case.density.numbers, self.case.density.positions
        densities: list[OrbitalDensity] = []
        grids: list[np.ndarray] = []
        path = self.folder / "CHGCAR"

        def network() -> None:
            found = model.predict(
                numbers[self.atoms],
                positions[self.atoms],
                virtual_positions=positions[~self.atoms],
            )
            densities.append(found)

        def grid() -> None:
            origin, cell, shape = np.zeros(3), self.case.cell, self.case.shape
            grids.append(evaluate_on_grid(densities[0], origin, cell, shape, cutoff=cutoff))

        def file() -> None:
            atoms = (numbers[self.atoms], positions[self.atoms])
            write_chgcar(ChargeDensity(grids[0], self.case.cell, np.zeros(3), *atoms), path)

        return Timed(_marks([network, grid, file]), path)

    def floor(self) -> float:
        """Return the CPU seconds of the arithmetic alone: matrix products and screened sums."""
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            self.side.legacy()
        generator = np.random.default_rng(0)
        sample = self.points.numpy()[generator.integers(len(self.points), size=300)]
        case = Case(NAME, self.case.density, self.case.cell, self.case.shape)
        work = counter.get_total_flops() + 2 * floor_operations(case, sample)
        return 1e-9 * work / product_rate()


def _difference(theirs: Path, ours: Path) -> float:
    """Compare the files where the published way has values."""
    wanted = read_chgcar(theirs).values
    known = wanted != 0
    found = read_chgcar(ours).values[known]
    return float(np.linalg.norm(found - wanted[known]) / np.linalg.norm(wanted[known]))


def measure(folder: Path, fraction: float, repeats: int) -> list[Row]:
    """Go all ways, print the table and return the rows."""
    pipeline = Pipeline(preset_b(NAME), folder)
    legacy, equivariant = pipeline.models
    pipeline.ours(legacy, cutoff=CUTOFF)  # compiled code is loaded
    theirs = pipeline.published(fraction)
    runs = [pipeline.ours(legacy, cutoff=CUTOFF) for _ in range(repeats)]
    distance = _difference(theirs.path, runs[0].path)
    whole = [pipeline.ours(equivariant, cutoff=None).seconds for _ in range(repeats)]
    ours = np.median([run.seconds for run in runs], axis=0)
    exact = np.median(whole, axis=0)
    what = f"preset b, 18 atoms, {len(pipeline.points)} points"
    goal, total = "at least 20 (stretch 40)", sum(theirs.seconds)
    rows = [
        make_row(f"{what}: CPU time ratio", total / ours.sum(), "", target=goal),
        make_row(f"{what}: equivariant, no cut-off, CPU time ratio", total / exact.sum(), ""),
        make_row(f"{what}: structure to file", ours.sum(), "CPU s", reference=total),
        make_row(f"{what}: equivariant, no cut-off", exact.sum(), "CPU s", reference=total),
    ]
    for step, mine, other, third in zip(STEPS, ours, theirs.seconds, exact, strict=True):
        rows.append(make_row(f"{what}: {step}", mine, "CPU s", reference=other))
        rows.append(make_row(f"{what}: {step}, equivariant", third, "CPU s", reference=other))
    floor = pipeline.floor()
    rows += [
        make_row(f"{what}: distance", distance, "relative L2", target="at most 1e-5"),
        make_row(f"{what}: times the floor of its arithmetic", ours.sum() / floor, ""),
        make_row(f"{what}: points evaluated pairwise, the rest scaled", fraction, "of all"),
    ]
    return rows


def main() -> None:
    """Print the table and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1/16 of the points pairwise")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    fraction = 1 / 16 if quick else 1.0
    print(f"{machine()}; CPU seconds, one thread")
    if fraction < 1:
        print(f"the published way evaluates {fraction:.4f} of the points; its time is scaled up")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), fraction, 2 if quick else 5)
    for row in rows:
        reference = "" if row["reference"] is None else f"published {row['reference']:.3g}"
        print(f"{row['name']:<72} {row['value']:10.4g} {row['unit']:<10} {reference}")
    print(f"written to {write_results('structure_to_chgcar', rows)}")


if __name__ == "__main__":
    main()
