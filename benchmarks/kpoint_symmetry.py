"""Measure what k-points without the symmetry of the lattice do to labels of displaced atoms.

ABINIT gives the density of perfect silicon (primitive cell, GTH-PBE) its symmetry. Once an atom has
moved by 3e-4 Å it does not, and the density jumps by what the mesh lacks: an anisotropy that does
not come from the places of the atoms, so that no equivariant model can learn it. Under a minute.

Usage: python benchmarks/kpoint_symmetry.py [--quick]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from results_file import make_row, write_results
from seeding_abinit import Pipeline, crystal

from scdp_flows.dft.plane_waves.kpoint_mesh import lacks_symmetry

NAME = "kpoint_symmetry"
MESHES = (
    ((2, 2, 2), (1, 1, 1)),
    ((2, 2, 2), (0, 0, 0)),
    ((3, 3, 3), (0, 0, 0)),
    ((4, 4, 4), (0, 0, 0)),
)
MOVE = (1e-4, 2e-4, -1.5e-4)  # Å


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two meshes; nothing is kept")
    arguments = parser.parse_args()
    perfect = crystal("Fd-3m", 5.43, ["Si"])
    moved = perfect.copy()
    moved.translate_sites([0], MOVE, frac_coords=False)
    rows = []
    with TemporaryDirectory() as folder:
        pipeline = Pipeline(Path(folder))
        for kpoints, kshift in MESHES[: 2 if arguments.quick else None]:
            code = pipeline.code(8.0, kpoints=kpoints, kshift=kshift, diemac=12.0)
            one, other = (code.label(cell).density.values for cell in (perfect, moved))
            jump = 100 * float(np.abs(one - other).sum() / one.sum())
            lacking = lacks_symmetry(perfect.lattice.matrix, kpoints, kshift)
            told = f"k-points {kpoints}, shifted by {kshift}"
            print(f"{told}: NMAE {jump:.4f} %{', lacks the symmetry' if lacking else ''}")
            rows.append(make_row(told, jump, "%"))
    if not arguments.quick:
        write_results(NAME, rows)


if __name__ == "__main__":
    main()
