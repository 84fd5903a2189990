"""Compare orbital bases for labels: density error against gth-qzv3p, cost, SCF iterations.

Run ``OMP_NUM_THREADS=1 python benchmarks/label_basis.py [--quick]``; it prints the table of
``docs/design/label_basis.md``.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
from pyscf import dft, gto, lib

from scdp_flows.demo.structures import load_ethanol, load_qm7_small

BASES = (
    "gth-dzvp",
    "gth-dzvp-molopt-sr",
    "gth-dzvp-molopt",
    "gth-tzvp",
    "gth-tzvp-molopt",
    "gth-tzv2p",
    "gth-tzv2p-molopt",
    "gth-qzv2p",
)
REFERENCE = "gth-qzv3p"


def converge(atoms: list[tuple[str, np.ndarray]], basis: str) -> dict[str, object]:
    """Run one SCF with the labels' grid and return density matrix, cost and iterations."""
    mol = gto.M(atom=atoms, basis=basis, pseudo="gth-pbe", unit="Angstrom", verbose=0)
    mf = dft.RKS(mol, xc="PBE")
    mf.grids.level = 1
    mf.conv_tol = 1e-9
    start = time.process_time()
    mf.kernel()
    cpu = time.process_time() - start
    if not mf.converged:
        raise SystemExit(f"{basis} did not converge")
    return {"mol": mol, "dm": mf.make_rdm1(), "cpu": cpu, "cycles": mf.cycles, "energy": mf.e_tot}


def density(run: dict[str, object], points: np.ndarray) -> np.ndarray:
    """Return the density of a run at `points` (bohr)."""
    blocks = []
    for begin in range(0, len(points), 20000):
        ao = dft.numint.eval_ao(run["mol"], points[begin : begin + 20000])
        blocks.append(np.einsum("pi,pi->p", ao @ run["dm"], ao))
    return np.concatenate(blocks)


def molecules(*, quick: bool) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Return ethanol and three small molecules with N, O and S."""
    chosen = {"ethanol": load_ethanol(1)[0]}
    if not quick:
        small = {m.composition.reduced_formula: m for m in load_qm7_small()}
        rest = [m for m in small.values() if len(m) <= 10]
        for element in ("N", "S", "O"):
            pick = next(
                m for m in rest[::-1] if element in m.composition and m not in chosen.values()
            )
            chosen[pick.formula] = pick
    return {k: [(s.species_string, s.coords) for s in m] for k, m in chosen.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ethanol and three bases only")
    quick = parser.parse_args().quick
    lib.num_threads(1)
    bases = ("gth-dzvp", "gth-dzvp-molopt-sr", "gth-tzvp") if quick else BASES
    print(f"PySCF, PBE, grid level 1, conv_tol 1e-9, one thread, {platform.machine()}")
    print("| molecule | basis | orbitals | NMAE % | CPU s | iterations | E - E(ref) Ha |")
    print("|---|---|---|---|---|---|---|")
    for name, atoms in molecules(quick=quick).items():
        reference = converge(atoms, REFERENCE)
        grid = dft.Grids(reference["mol"])
        grid.level = 2
        grid.build()
        exact = density(reference, grid.coords)
        n_electrons = reference["mol"].nelectron
        for basis in (*bases, REFERENCE):
            run = reference if basis == REFERENCE else converge(atoms, basis)
            error = abs(density(run, grid.coords) - exact) @ grid.weights
            print(
                f"| {name} | {basis} | {run['mol'].nao} | {100 * error / n_electrons:.2f} | "
                f"{run['cpu']:.2f} | {run['cycles']} | {run['energy'] - reference['energy']:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
