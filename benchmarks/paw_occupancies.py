"""Measure how well PAW occupancies of new crystals are predicted, and from how many runs.

Two sets: cubic boron nitride, cells of 8 atoms rattled by 0.03 to 0.1 Å and strained by 2 %, by
pw.x with projector-augmented waves, whose occupancies are coupled to the components that VASP
writes; and the few real files of VASP in ``tests/data`` that can be compared, each left out once.
Errors are 100 |prediction - truth| / |truth| over all numbers of the atoms left out, for the model,
for the spherical part of the most similar atom, and for the mean of the kind.

``--quick``: the stored ten cells in place of new ones, under a minute. ``--starts N``: N of the
cells left out are converged by pw.x once more, from their own density and the occupancies of model,
mean and the calculation itself, to see what occupancies are worth. ``--write``: the first ten cells
become the data of the tests.

Usage: python benchmarks/paw_occupancies.py [--store FOLDER] [--frames N] [--starts N]
[--quick | --write]
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from results_file import make_row, write_results

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary, neighbour_distances, spherical
from scdp_flows.dft.vasp.fit import example_of
from scdp_flows.dft.vasp.harvested import AtomKind, OccupancyRun
from scdp_flows.dft.vasp.potcar import channel_blocks
from scdp_models.harmonics import gaunt
from scdp_models.nn.occupancies import fit_head

if TYPE_CHECKING:
    from results_file import Row

DATA = Path(__file__).parents[1] / "tests" / "data"
PSEUDO = Path("/usr/share/espresso/pseudo")
FILES = {"B": "B.pbe-n-kjpaw_psl.1.0.0.UPF", "N": "N.pbe-n-kjpaw_psl.1.0.0.UPF"}
NUMBERS = {"B": 5, "N": 7}
PAW, DENSITY = "o/x.save/paw.txt", "o/x.save/charge-density.dat"
SYMBOLS = ["B"] * 4 + ["N"] * 4
FACES = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
INPUT = """&control
 calculation='scf', prefix='x', outdir='./o', pseudo_dir='{pseudo}', disk_io='low'
/
&system
 ibrav=0, nat=8, ntyp=2, ecutwfc=30, ecutrho=150, nosym=.true.,
 occupations='smearing', smearing='mv', degauss=0.01
/
&electrons
 conv_thr=1e-8, startingpot='{start}'
/
ATOMIC_SPECIES
{species}
CELL_PARAMETERS angstrom
{cell}
ATOMIC_POSITIONS angstrom
{positions}
K_POINTS automatic
2 2 2 1 1 1
"""


def cells(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return cell vectors and positions of the frames, Å."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(count):
        strain = rng.normal(scale=0.02, size=(3, 3))
        cell = 3.615 * (np.eye(3) + (strain + strain.T) / 2)
        places = np.concatenate([FACES, FACES + 0.25]) @ cell
        found.append((cell, places + rng.normal(scale=rng.choice([0.03, 0.06, 0.1]), size=(8, 3))))
    return found


def channels_of(symbol: str) -> tuple[int, ...]:
    """Read the angular momenta of the projectors of a pseudopotential."""
    text = (PSEUDO / FILES[symbol]).read_text(errors="ignore")
    found = re.findall(r'<PP_BETA\.\d+[^>]*?angular_momentum="\s*(\d+)"', text, re.DOTALL)
    return tuple(map(int, found))


def standard_order(l: int) -> np.ndarray:
    """Return the matrix from pw.x's harmonics (0, +1, -1, ..., Condon-Shortley) to m = -l..l."""
    matrix = np.zeros((2 * l + 1, 2 * l + 1))
    matrix[l, 0] = 1
    for m in range(1, l + 1):
        matrix[l + m, 2 * m - 1] = matrix[l - m, 2 * m] = (-1) ** m
    return matrix


def coupled(packed: np.ndarray, channels: tuple[int, ...]) -> list[float]:
    """Couple the occupancies of pairs of projector functions to components, as VASP writes them."""
    ends = np.cumsum([0] + [2 * l + 1 for l in channels])
    full = np.zeros((ends[-1], ends[-1]))
    rows, columns = np.triu_indices(ends[-1])
    full[rows, columns] = np.where(rows == columns, 1, 0.5) * packed
    full = full + full.T - np.diag(np.diag(full))
    found: list[float] = []
    for a, b, l in channel_blocks(channels):
        one, two = channels[a], channels[b]
        part = full[ends[a] : ends[a + 1], ends[b] : ends[b + 1]]
        part = standard_order(one) @ part @ standard_order(two).T
        values = np.einsum("abc,ab->c", gaunt(one, two, l), part) * (1 if a == b else 2)
        found += np.round(values, 6).tolist()
    return found


def converge(crystal: tuple[np.ndarray, np.ndarray], folder: Path, start: str) -> int:
    """Run pw.x and return its number of iterations."""
    cell, places = crystal
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in").write_text(
        INPUT.format(
            pseudo=PSEUDO,
            start=start,
            species="\n".join(f"{symbol} 1.0 {name}" for symbol, name in FILES.items()),
            cell="\n".join(" ".join(f"{x:.8f}" for x in row) for row in cell),
            positions="\n".join(
                f"{symbol} " + " ".join(f"{x:.8f}" for x in place)
                for symbol, place in zip(SYMBOLS, places, strict=True)
            ),
        )
    )
    done = subprocess.run(["pw.x", "-in", "in"], cwd=folder, check=True, capture_output=True)  # noqa: S607
    found = re.search(rb"convergence has been achieved in\s+(\d+) iterations", done.stdout)
    return int(found.group(1)) if found else -1


def decoupled(values: np.ndarray, channels: tuple[int, ...]) -> list[float]:
    """Return occupancies of pairs of projector functions: the inverse of ``coupled``."""
    ends = np.cumsum([0] + [2 * l + 1 for l in channels])
    full = np.zeros((ends[-1], ends[-1]))
    start = 0
    for a, b, l in channel_blocks(channels):
        one, two = channels[a], channels[b]
        coupling = gaunt(one, two, l)
        part = values[start : start + 2 * l + 1] / (coupling**2).sum(axis=(0, 1))
        start += 2 * l + 1
        block = np.einsum("abc,c->ab", coupling, part) / (1 if a == b else 2)
        block = standard_order(one).T @ block @ standard_order(two)
        full[ends[a] : ends[a + 1], ends[b] : ends[b + 1]] += block
    rows, columns = np.triu_indices(ends[-1])
    return [float(x) for x in np.where(rows == columns, 1, 2) * full[rows, columns]]


def starts(runs: list[OccupancyRun], count: int, store: Path) -> list[Row]:
    """Converge crystals left out from their own density and the occupancies of each guess."""
    n_test = max(3, len(runs) // 4)
    train, crystals = runs[:-n_test], cells(len(runs))
    iterations: dict[str, list[int]] = {"superposed atoms": []}
    for index in range(len(runs) - count, len(runs)):
        folder = store / "start"
        iterations["superposed atoms"].append(converge(crystals[index], folder, "atomic"))
        exact = (folder / PAW).read_text()
        density = (folder / DENSITY).read_bytes()
        texts = {"own density, own occupancies": exact} | guessed_texts(train, runs[index])
        for name, text in texts.items():
            (folder / PAW).write_text(text)
            (folder / DENSITY).write_bytes(density)
            iterations.setdefault(name, []).append(converge(crystals[index], folder, "file"))
    return [
        make_row(f"BN of pw.x, iterations from {name}", float(np.mean(found)), "iterations")
        for name, found in iterations.items()
    ]


def guessed_texts(train: list[OccupancyRun], run: OccupancyRun) -> dict[str, str]:
    """Return the file of occupancies for the model and for the mean."""
    rows: dict[str, list[float]] = {"own density, model": [], "own density, mean": []}
    for kind in run.kinds:
        head = fit_head([example_of(each, kind) for each in train], degrees_of(kind))
        example = example_of(run, kind)
        for values in head.predict(*example[:4]).values:
            rows["own density, model"] += decoupled(values, kind.channels)
            rows["own density, mean"] += decoupled(head.mean, kind.channels)
    return {name: "\n".join(f"{x:.16e}" for x in found) for name, found in rows.items()}


def degrees_of(kind: AtomKind) -> list[int]:
    """Return L of each block."""
    return [l for *_, l in channel_blocks(kind.channels)]


def computed(frame: int, crystal: tuple[np.ndarray, np.ndarray], store: Path) -> OccupancyRun:
    """Run pw.x on a frame, unless its occupancies are stored, and return them."""
    cell, places = crystal
    file = store / f"bn_{frame}.txt"
    if not file.is_file():
        converge(crystal, store / "work", "atomic")
        file.write_text((store / "work" / PAW).read_text())
    numbers = np.array(file.read_text().split(), dtype=float).reshape(8, -1)
    kinds = tuple(AtomKind(f"PAW_PBE {s} of pw.x", "PBE", channels_of(s)) for s in FILES)
    chosen = tuple(list(FILES).index(symbol) for symbol in SYMBOLS)
    return OccupancyRun(
        "BN",
        tuple(tuple(row) for row in cell.round(8).tolist()),
        tuple(NUMBERS[symbol] for symbol in SYMBOLS),
        tuple(tuple(row) for row in places.round(8).tolist()),
        kinds,
        chosen,
        tuple(
            tuple(coupled(row, kinds[kind].channels))
            for row, kind in zip(numbers, chosen, strict=True)
        ),
    )


def errors(train: list[OccupancyRun], test: list[OccupancyRun], kind: AtomKind) -> np.ndarray:
    """Return the squared errors of model, nearest atom and mean, and the squared truth."""
    near = {run: neighbour_distances(run.structure) for run in [*train, *test]}
    head = fit_head(
        [example_of(run, kind) for run in train], [l for *_, l in channel_blocks(kind.channels)]
    )
    total = np.zeros(4)
    for run in test:
        example = example_of(run, kind)
        known = [(near[other][atom], other.values[atom]) for other in train
                 for atom in other.atoms_of(kind)]  # fmt: skip
        nearest = []
        for atom in example.atoms:
            away = [float(np.abs(near[run][atom] - each).sum()) for each, _ in known]
            nearest.append(spherical(np.array(known[int(np.argmin(away))][1]), kind.channels))
        found = head.predict(*example[:4]).values
        missed = [guess - example.values for guess in (found, np.array(nearest), head.mean)]
        total += [float((part**2).sum()) for part in (*missed, example.values)]
    return total


def percent(total: np.ndarray) -> list[float]:
    """Return the three errors in % of the truth."""
    return [float(100 * np.sqrt(part / total[3])) for part in total[:3]]


def rows_of(name: str, total: np.ndarray) -> list[Row]:
    """Describe one comparison."""
    model, nearest, mean = percent(total)
    text = f"nearest atom {nearest:.2f} %, mean {mean:.2f} %"
    return [make_row(f"{name}, error of the model", model, "%", reference=text)]


def learning(runs: list[OccupancyRun]) -> list[Row]:
    """Learn from more and more runs, and predict the last quarter."""
    n_test = max(3, len(runs) // 4)
    rows = []
    for count in (1, 3, 5, 7, 10, 15, 25):
        if count <= len(runs) - n_test:
            parts = [errors(runs[:count], runs[-n_test:], kind) for kind in runs[0].kinds]
            rows += rows_of(
                f"BN of pw.x, {count} runs ({4 * count} atoms of each kind)", np.sum(parts, 0)
            )
    return rows


def left_out() -> list[Row]:
    """Leave each of the real files out in turn."""
    library = OccupancyLibrary.read(DATA / "vasp" / "real_occupancies.json")
    rows = []
    for kind in library.kinds:
        runs = [run for run in library.runs if run.atoms_of(kind)]
        if len(runs) > 1:
            parts = [errors([r for r in runs if r is not run], [run], kind) for run in runs]
            rows += rows_of(
                f"VASP, {kind.title}, {len(runs)} files, each left out", np.sum(parts, 0)
            )
    return rows


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("paw_occupancies"))
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--starts", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    stored = DATA / "qe" / "bn_occupancies.json"
    if arguments.quick:
        runs = list(OccupancyLibrary.read(stored).runs)
    else:
        crystals = cells(arguments.frames)
        runs = [computed(frame, each, arguments.store) for frame, each in enumerate(crystals)]
    if arguments.write:
        OccupancyLibrary(tuple(runs[:10])).write(stored)
    rows = [*learning(runs), *left_out()]
    if arguments.starts:
        rows += starts(runs, arguments.starts, arguments.store)
    for row in rows:
        print(f"{row['name']}: {row['value']:.2f} {row['unit']} ({row['reference']})")
    write_results("paw_occupancies", rows)


if __name__ == "__main__":
    main()
