"""Read and write CHGCAR files, against pymatgen.

Run ``OMP_NUM_THREADS=1 python benchmarks/chgcar_text.py [--quick] [--against FOLDER]``. Seconds are
CPU seconds of the process, medians of repeats that alternate between the two programs. The arrays
are compared bit by bit first. ``--against`` names a folder with another pymatgen, made by ``pip
install --no-deps --target FOLDER pymatgen==2025.10.7``: since 2026 pymatgen reads numbers by
compiled code, too, and before it did so line by line.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pymatgen.io.vasp
from pymatgen.io.vasp import Chgcar
from results_file import Row, machine, make_row, write_results

from scdp_flows.density import ChargeDensity
from scdp_flows.io.chgcar import read_chgcar, write_chgcar
from scdp_flows.io.kernels import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[1] / "tests" / "data" / "vasp"
TARGETS = {"read": ">= 10 (stretch 30)", "write": ">= 5"}
_OTHER = """
import json, statistics, sys, time
from pymatgen.io.vasp import Chgcar
times = {"read": [], "write": []}
for _ in range(int(sys.argv[3])):
    start = time.process_time()
    found = Chgcar.from_file(sys.argv[1])
    middle = time.process_time()
    found.write_file(sys.argv[2])
    times["read"].append(middle - start)
    times["write"].append(time.process_time() - middle)
print(json.dumps({name: statistics.median(each) for name, each in times.items()}))
"""


def real_file(folder: Path) -> Path:
    """Unpack a file of two spins on a grid of 48 x 48 x 48 points, 4.2 MB."""
    path = folder / "CHGCAR_LiH"
    path.write_bytes(lzma.decompress((DATA / "LiH_CHGCAR_spin.xz").read_bytes()))
    return path


def synthetic_file(folder: Path, n: int) -> Path:
    """Write an atom in a box of 8 Å, whose density falls over forty orders of magnitude."""
    axis = 8.0 * np.arange(n) / n - 4.0
    profile = np.exp(-2.0 * axis**2)
    values = np.einsum("i,j,k->ijk", profile, profile, profile)
    path = folder / f"CHGCAR_{n}"
    write_chgcar(
        ChargeDensity(values, 8 * np.eye(3), np.zeros(3), np.array([8]), np.full((1, 3), 4.0)), path
    )
    return path


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def compare(path: Path, repeats: int) -> dict[str, tuple[float, float]]:
    """Return our median seconds and pymatgen's for reading and writing one file."""
    ours, theirs = read_chgcar(path), Chgcar.from_file(str(path))
    if not np.array_equal(ours.values, theirs.data["total"] / ours.volume):
        message = f"{path.name}: the two programs read different numbers"
        raise SystemExit(message)
    copy = str(path.with_suffix(".copy"))
    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "read": (lambda: read_chgcar(path), lambda: Chgcar.from_file(str(path))),
        "write": (lambda: write_chgcar(ours, copy), lambda: theirs.write_file(copy)),
    }
    result = {}
    for name, calls in work.items():
        pairs = [[seconds(call) for call in calls] for _ in range(repeats)]
        mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
        result[name] = mine, other
    return result


def other_version(folder: Path, path: Path, repeats: int) -> dict[str, float]:
    """Return the median seconds of the pymatgen in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", _OTHER, str(path), str(path.with_suffix(".other"))]
    run = subprocess.run(  # noqa: S603
        [*command, str(repeats)], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def cold_start() -> float:
    """Return what the first call of the kernels costs, with numba's cache filled."""
    code = "from scdp_flows.io.kernels import compiled\nfrom scdp_flows.io.number_block import *\n"
    code += "import numpy as np, time\nfrom scdp_flows.io.decimals import powers_of_ten\n"
    code += "text = np.frombuffer(b'1 \\n', dtype=np.uint8)\nstart = time.process_time()\n"
    code += "compiled().parse(text, 0, 3, np.empty(1), powers_of_ten())\n"
    code += "print(time.process_time() - start)"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def measure(path: Path, label: str, repeats: int, against: Path | None) -> list[Row]:
    """Measure one file, print its lines and return its rows."""
    rows = []
    other = other_version(against, path, max(repeats // 4, 1)) if against else {}
    for name, (mine, theirs) in compare(path, repeats).items():
        size = path.stat().st_size / 1e6
        line = f"{label:18s} {name:6s} {1e3 * mine:9.1f} ms {size / mine:7.0f} MB/s"
        line += f"   pymatgen {1e3 * theirs:9.1f} ms   ratio {theirs / mine:6.1f}"
        rows.append(
            make_row(
                f"{label}: {name}, ratio to pymatgen", theirs / mine, "x", target=TARGETS[name]
            )
        )
        rows.append(make_row(f"{label}: {name}", size / mine, "MB/s of CPU"))
        if other:
            line += f"   other {1e3 * other[name]:9.1f} ms   ratio {other[name] / mine:6.1f}"
            label_ = f"{label}: {name}, ratio to pymatgen of --against"
            rows.append(make_row(label_, other[name] / mine, "x", target=TARGETS[name]))
        print(line)
    return rows


def main() -> None:
    """Measure both files, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, a smaller grid")
    parser.add_argument("--against", type=Path, help="folder with another pymatgen")
    options = parser.parse_args()
    compiled()
    import numba  # noqa: F401 - so that the kernels are taken at once

    print(f"{machine()}; pymatgen from {Path(pymatgen.io.vasp.__file__).parents[2].name}")
    repeats, n = (3, 60) if options.quick else (5, 120)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows += measure(real_file(Path(folder)), "LiH 48^3, 2 spins", repeats, options.against)
        rows += measure(
            synthetic_file(Path(folder), n), f"synthetic {n}^3", repeats, options.against
        )
    rows.append(make_row("load numba and the kernels, once per process", cold_start(), "CPU s"))
    print(f"load numba and the kernels: {rows[-1]['value']:.2f} CPU s, once per process")
    if not options.quick:
        print(f"wrote {write_results('chgcar_text', rows)}")


if __name__ == "__main__":
    main()
