"""Compare total energies of PySCF, Quantum ESPRESSO and ABINIT with the same GTH-PBE files.

Two atoms, one of them with spin, and two molecules in a box, and silicon and diamond. Of crystals
only the plane-wave codes are compared; PySCF's basis of the others is even-tempered and large.
Five minutes.

Usage: python benchmarks/cross_code_energies.py [--quick]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from pymatgen.core import Lattice, Structure
from results_file import make_row, write_results

from scdp_flows.dft.abinit import AbinitSettings
from scdp_flows.dft.abinit.scf import run_scf as run_abinit
from scdp_flows.dft.espresso import EspressoSettings
from scdp_flows.dft.espresso.scf import run_scf as run_espresso
from scdp_flows.dft.plane_waves.gth import write_gth
from scdp_flows.dft.plane_waves.structure import as_crystal

NAME = "cross_code_energies"


@dataclass(frozen=True)
class Case:
    """One system."""

    name: str
    structure: Structure
    ecut_ha: float
    basis: tuple[int, float, float, int] | None = None
    """Highest l, least and largest exponent (bohr^-2) and number of each l; None: no PySCF."""
    spin: int = 0


def in_box(symbols: list[str], length: float, distance: float = 0.0) -> Structure:
    """Put one or two atoms into a cube."""
    places = [[0.0, 0.0, 0.0], [distance / length, 0.0, 0.0]]
    return Structure(Lattice.cubic(length), symbols, places[: len(symbols)])


def diamond(symbol: str, length: float) -> Structure:
    """Return the primitive cell of a crystal of diamond structure."""
    crystal = Structure.from_spacegroup("Fd-3m", Lattice.cubic(length), [symbol], [[0, 0, 0]])
    return crystal.get_primitive_structure()


def silane(length: float) -> Structure:
    """Put a SiH4 molecule into a cube."""
    h = 1.48 / 3**0.5 / length
    corners = [[h, h, h], [h, -h, -h], [-h, h, -h], [-h, -h, h]]
    return Structure(Lattice.cubic(length), ["Si", *"HHHH"], [[0.0, 0.0, 0.0], *corners])


CASES = [
    Case("He atom", in_box(["He"], 5.0), 150.0, (0, 0.05, 60.0, 14)),
    Case("H atom, two spins", in_box(["H"], 6.0), 80.0, (0, 0.03, 60.0, 14), spin=1),
    Case("H2 molecule", in_box(["H", "H"], 5.5, 0.741), 80.0, (2, 0.06, 50.0, 10)),
    Case("SiH4 molecule", silane(6.5), 50.0, (2, 0.05, 25.0, 10)),
    Case("Si crystal", diamond("Si", 5.43), 20.0),
    Case("C crystal", diamond("C", 3.57), 40.0),
]


def plane_wave_energies(case: Case, folder: str) -> tuple[float, float]:
    """Return the energies of ``pw.x`` and ABINIT, Hartree."""
    files = write_gth(folder, {site.specie.symbol for site in case.structure})
    common: dict[str, Any] = {"pseudo_dir": folder}
    if case.spin:
        symbol = case.structure[0].specie.symbol
        common |= {
            "spin": "unrestricted",
            "smearing": "gaussian",
            "starting_magnetization": {symbol: 1.0},
        }
    pw = EspressoSettings(
        files, ecutwfc_ry=2 * case.ecut_ha, degauss_ry=2e-3, conv_thr_ry=1e-9, **common
    )
    ab = AbinitSettings(files, ecut_ha=case.ecut_ha, tsmear_ha=1e-3, tolvrs=1e-9, **common)
    runs = (
        run_espresso(as_crystal(case.structure, pw), pw),
        run_abinit(as_crystal(case.structure, ab), ab),
    )
    for run in runs:
        if not run.converged:
            raise SystemExit(f"{case.name}: {run.message or 'not converged'}")
    return runs[0].energy_ha, runs[1].energy_ha


def pyscf_energy(case: Case) -> float:
    """Return the energy of the molecule alone, Hartree."""
    from pyscf import dft, gto

    if case.basis is None:
        return float("nan")
    highest, least, largest, count = case.basis
    ratio = (largest / least) ** (1 / (count - 1))
    shells = [
        [l, [least * ratio**i, 1.0]] for l in range(highest + 1) for i in range(count - 3 * l)
    ]
    atoms = [(site.specie.symbol, site.coords) for site in case.structure]
    mol = gto.M(
        atom=atoms,
        basis={symbol: shells for symbol, _ in atoms},
        pseudo="gth-pbe",
        spin=case.spin,
        verbose=0,
    )
    scf = dft.UKS(mol) if case.spin else dft.RKS(mol)
    scf.xc, scf.grids.level, scf.conv_tol = "PBE", 5, 1e-9
    return float(scf.kernel())


def main() -> None:
    """Compute all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    cases = CASES[4:5] if parser.parse_args().quick else CASES
    print(f"{'':18} {'pw.x, Ha':>14} {'ABINIT - pw.x':>14} {'PySCF - pw.x':>14}  (mHa)")
    rows = []
    for case in cases:
        with TemporaryDirectory() as folder:
            espresso, abinit = plane_wave_energies(case, folder)
        pyscf = pyscf_energy(case)
        print(
            f"{case.name:18} {espresso:14.6f} {1e3 * (abinit - espresso):14.4f} "
            f"{1e3 * (pyscf - espresso):14.3f}",
            flush=True,
        )
        rows.append(
            make_row(f"{case.name}: ABINIT", abinit, "Ha", reference=espresso, target="1e-5 Ha")
        )
        if case.basis is not None:
            rows.append(
                make_row(f"{case.name}: PySCF", pyscf, "Ha", reference=espresso, target="2e-4 Ha")
            )
    if len(cases) == len(CASES):
        write_results(NAME, rows)


if __name__ == "__main__":
    main()
