#!/usr/bin/env python
"""Stand in for VASP: as strict with its inputs, as talkative, and cheap.

Energies and forces are those of a classical potential; the density is a sum of atoms and bonds, so
that it depends on the structure. Files are laid out as VASP 5.4 does. Nothing is shared with the
package under test: what it reads and refuses is written down here a second time.

Run it in the folder of a calculation: ``python fake_vasp.py``. It needs INCAR, POSCAR, KPOINTS (or
KSPACING) and POTCAR, for which made-up headers with TITEL, VRHFIN, ZVAL, ENMAX, LEXCH and the
non-local parts do.
"""

from __future__ import annotations

import gzip
import itertools
import math
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.emt import parameters as emt_parameters
from ase.calculators.lj import LennardJones

TEMPLATE = Path(__file__).parent / "data" / "vasp" / "Si_static_vasprun.xml.gz"
RYDBERG, BOHR = 13.605693, 0.529177


def say(text: str) -> None:
    """Write to standard output at once, as the tests read it."""
    sys.stdout.write(f" {text}\n")
    sys.stdout.flush()


class Stop(SystemExit):
    """End with a message, as VASP does."""

    def __init__(self, message: str) -> None:
        say(f"ERROR: {message}")
        super().__init__(1)


def as_bool(value: str) -> bool:
    return value.strip(". ").upper().startswith("T")


def read_incar(path: Path) -> dict[str, str]:
    """Read tags; a line that is none stops the run."""
    tags: dict[str, str] = {}
    for raw in path.read_text().splitlines():
        for line in re.split(r"[#!]", raw)[0].split(";"):
            if not line.strip():
                continue
            name, equals, value = line.partition("=")
            if not equals or not re.fullmatch(r"\s*[A-Za-z][\w]*\s*", name) or not value.strip():
                raise Stop(f"cannot interpret the line of INCAR {line.strip()!r}")
            if name.strip().upper() in tags:
                raise Stop(f"{name.strip()} stands twice in INCAR")
            tags[name.strip().upper()] = value.strip()
    return tags


def expand(text: str) -> list[float]:
    """Expand ``2*0.6 1``."""
    found: list[float] = []
    for word in text.split():
        count, star, value = word.partition("*")
        found += [float(value)] * int(count) if star else [float(word)]
    return found


@dataclass
class Potential:
    """One entry of POTCAR."""

    title: str
    element: str
    zval: float
    enmax: float
    exchange: str
    channels: list[int]

    @property
    def n_occupancies(self) -> int:
        return len(self.occupancies())

    def occupancies(self) -> list[float]:
        """Give numbers to the blocks without angular momentum, zero to the others."""
        values: list[float] = []
        for n, (a, b) in enumerate(itertools.combinations_with_replacement(self.channels, 2)):
            for l in range(abs(a - b), a + b + 1, 2):
                first = (-1) ** n * self.zval / (n + 2) if l == 0 else 0.0
                values += [first] + [0.0] * (2 * l)
        return values


def read_potcar(path: Path) -> list[Potential]:
    if not path.is_file():
        raise Stop("POTCAR not found")
    found = []
    for part in path.read_text().split("End of Dataset"):
        if not part.strip():
            continue
        words = {
            name: re.search(rf"{name}\s*=\s*([^;\n]+)", part)
            for name in ("TITEL", "VRHFIN", "ZVAL", "ENMAX", "LEXCH")
        }
        if any(match is None for match in words.values()):
            raise Stop("POTCAR is incomplete")
        text = {name: match.group(1).split() for name, match in words.items() if match}
        channels = [
            int(l)
            for l, count in re.findall(r"Non local Part\n\s*(\d)\s+(\d)\s", part)
            for _ in range(int(count))
        ]
        found.append(
            Potential(
                " ".join(text["TITEL"]), text["VRHFIN"][0].strip(":"), float(text["ZVAL"][0]),
                float(text["ENMAX"][0]), text["LEXCH"][0], channels,
            )
        )  # fmt: skip
    return found


@dataclass
class Crystal:
    """POSCAR."""

    comment: str
    cell: np.ndarray
    species: list[str]
    counts: list[int]
    fractional: np.ndarray
    rest: list[str] = field(default_factory=list)

    @property
    def symbols(self) -> list[str]:
        return [s for s, n in zip(self.species, self.counts, strict=True) for _ in range(n)]

    @property
    def atoms(self) -> Atoms:
        return Atoms(self.symbols, scaled_positions=self.fractional, cell=self.cell, pbc=True)

    def moved(self, atoms: Atoms) -> Crystal:
        return Crystal(
            self.comment, np.array(atoms.cell), self.species, self.counts,
            atoms.get_scaled_positions(),
        )  # fmt: skip

    def text(self) -> str:
        rows = [self.comment, "   1.00000000000000     "]
        rows += [" " + "".join(f"{x:22.16f}" for x in row) for row in self.cell]
        rows += ["".join(f"   {s:2s}" for s in self.species)]
        rows += ["".join(f"{n:6d}" for n in self.counts), "Direct"]
        rows += ["".join(f"{x:20.16f}" for x in row) for row in self.fractional % 1.0]
        return "\n".join(rows) + "\n"


def read_poscar(path: Path) -> Crystal:
    lines = path.read_text().splitlines()
    try:
        scale = float(lines[1])
        cell = np.array([[float(x) for x in line.split()[:3]] for line in lines[2:5]])
        cell = cell * (scale if scale > 0 else (-scale / abs(np.linalg.det(cell))) ** (1 / 3))
        species, counts = lines[5].split(), [int(n) for n in lines[6].split()]
        at = 8 if lines[7].strip()[:1] in "sS" else 7
        rows = lines[at + 1 : at + 1 + sum(counts)]
        places = np.array([[float(x) for x in row.split()[:3]] for row in rows])
        is_direct = lines[at].strip()[:1] in "dD"
    except (ValueError, IndexError):
        raise Stop("POSCAR cannot be read") from None
    if places.shape != (sum(counts), 3) or len(species) != len(counts):
        raise Stop("POSCAR cannot be read")
    if not is_direct:
        places = np.linalg.solve(cell.T, scale * places.T).T
    return Crystal(lines[0].strip(), cell, species, counts, places)


def read_kpoints(path: Path, tags: dict[str, str]) -> tuple[np.ndarray, list[int]]:
    """Return a few points of the mesh, and its divisions."""
    if not path.is_file():
        if "KSPACING" not in tags:
            raise Stop("KPOINTS not found")
        return np.zeros((1, 3)), [1, 1, 1]
    lines = path.read_text().splitlines()
    if int(lines[1].split()[0]) == 0:
        if lines[2].strip()[:1].upper() not in "GM":
            raise Stop("KPOINTS: only meshes and lists of points are known")
        mesh = [int(x) for x in lines[3].split()[:3]]
        steps = [np.arange(n)[:2] / n for n in mesh]
        return np.array(list(itertools.product(*steps))), mesh
    count = int(lines[1].split()[0])
    return np.array([[float(x) for x in row.split()[:3]] for row in lines[3 : 3 + count]]), [1] * 3


def even_235(n: int, needed: int) -> int:
    """Return the next even number without large prime factors."""
    for candidate in itertools.count(max(n, needed)):
        rest = candidate
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1 and candidate % 2 == 0:
            return candidate
    raise AssertionError


def fine_grid(tags: dict[str, str], cell: np.ndarray, encut: float) -> tuple[int, ...]:
    """Choose NGXF, NGYF, NGZF."""
    precise = tags.get("PREC", "Normal").strip()[:1].upper()
    factor = 4 if precise in "AS" else 3
    finer = 2 if precise in "AN" else 1
    shape = []
    for axis, length in zip("XYZ", np.linalg.norm(cell, axis=1), strict=True):
        waves = math.sqrt(encut / RYDBERG) / (2 * math.pi) * length / BOHR
        coarse = int(tags.get(f"NG{axis}", even_235(int(factor * waves + 0.5), 2)))
        shape.append(int(tags.get(f"NG{axis}F", coarse * finer)))
    return tuple(shape)


def spheres(
    crystal: Crystal, weights: np.ndarray, centres: np.ndarray, shape: tuple[int, ...], width: float
) -> np.ndarray:
    """Sum Gaussians of given weights (electrons per grid cell times volume)."""
    axes = [np.fft.fftfreq(n, 1 / n) for n in shape]
    reciprocal = 2 * np.pi * np.linalg.inv(crystal.cell).T
    h, k, l = np.meshgrid(*axes, indexing="ij", sparse=True)
    squares = sum((h * reciprocal[0, i] + k * reciprocal[1, i] + l * reciprocal[2, i]) ** 2
                  for i in range(3))  # fmt: skip
    total = np.zeros(shape, dtype=complex)
    for weight, place in zip(weights, centres, strict=True):
        phases = [np.exp(-2j * np.pi * axis * s) for axis, s in zip(axes, place, strict=True)]
        total += weight * phases[0][:, None, None] * phases[1][:, None] * phases[2]
    values = np.fft.ifftn(total * np.exp(-squares * width**2 / 2)).real
    return np.asarray(values * np.prod(shape))


def bonds(crystal: Crystal) -> np.ndarray:
    """Return the midpoints of the shortest contacts."""
    places = []
    for i, j in itertools.product(range(len(crystal.fractional)), repeat=2):
        for shift in itertools.product((-1, 0, 1), repeat=3):
            vector = crystal.fractional[j] - crystal.fractional[i] + shift
            length = float(np.linalg.norm(vector @ crystal.cell))
            if 0.5 < length < 3.2:
                places.append((length, crystal.fractional[i] + vector / 2))
    shortest = min((length for length, _ in places), default=0.0)
    return np.array([place for length, place in places if length < 1.2 * shortest]).reshape(-1, 3)


def ground_state(crystal: Crystal, zvals: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the converged density times volume: atoms that lend a tenth to the bonds."""
    middle = bonds(crystal)
    lent = 0.1 if len(middle) else 0.0
    weights = np.full(len(middle), lent * zvals.sum() / max(len(middle), 1))
    atoms = spheres(crystal, zvals * (1 - lent), crystal.fractional, shape, 0.5)
    return np.asarray(atoms + spheres(crystal, weights, middle, shape, 0.4))


class UnusableError(Exception):
    """Say why a density in CHGCAR is dropped."""


class Chgcar:
    """Read CHGCAR the way a program with fixed expectations does."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text().splitlines() if path.is_file() else []
        self.at = 0

    def line(self) -> str:
        if self.at >= len(self.lines):
            raise UnusableError("WARNING: chargedensity file is incomplete")
        self.at += 1
        return self.lines[self.at - 1]

    def require(self, found: object, expected: object) -> None:
        if found != expected:
            raise UnusableError("WARNING: chargedensity file is incomplete")

    def numbers(self, count: int) -> np.ndarray:
        """Read numbers that end with a line."""
        words: list[str] = []
        while len(words) < count:
            words += self.line().split()
        self.require(len(words), count)
        try:
            return np.array([float(word.upper().replace("D", "E")) for word in words])
        except ValueError:
            raise UnusableError("WARNING: chargedensity file is incomplete") from None

    def header(self, n_atoms: int) -> tuple[str, np.ndarray]:
        title = self.line().strip()
        for _ in range(5):
            self.line()
        if self.numbers(len(self.lines[self.at].split())).sum() != n_atoms:
            raise UnusableError("WARNING: number of atoms are different on CHGCAR file")
        self.require(self.line().strip(), "Direct")
        places = np.array([self.numbers(3) for _ in range(n_atoms)])
        self.require(self.line().strip(), "")
        return title, places

    def grid(self, shape: tuple[int, ...]) -> np.ndarray:
        if tuple(self.numbers(3).astype(int)) != shape:
            raise UnusableError("WARNING: dimensions on CHGCAR file are different")
        return self.numbers(int(np.prod(shape))).reshape(shape, order="F")

    def occupancies(self, counts: list[int]) -> None:
        for atom, count in enumerate(counts, start=1):
            try:
                self.require(self.line(), f"augmentation occupancies{atom:4d}{count:4d}")
                self.numbers(count)
            except UnusableError:
                say(f"RD_RHO_PAW: ion {atom} data corrupt")
                raise UnusableError("WARNING: PAW occupancies are missing on CHGCAR") from None


def read_start(
    crystal: Crystal, counts: list[int], shape: tuple[int, ...], ispin: int
) -> np.ndarray | None:
    """Return the density in CHGCAR, if it can be used."""
    file = Chgcar(Path("CHGCAR"))
    try:
        title, places = file.header(len(counts))
        density = file.grid(shape)
        file.occupancies(counts)
    except UnusableError as error:
        say(str(error))
        return None
    off = places - crystal.fractional
    if np.abs(off - np.rint(off)).max() > 1e-5:
        say("extrapolating charge from the positions on CHGCAR")
    say(f"charge-density read from file: {title}")
    if ispin == 2:
        try:
            file.numbers(len(counts))
            file.grid(shape)
            file.occupancies(counts)
            say("magnetization density read from file 1")
        except UnusableError:
            say("magnetization density of overlapping atoms calculated")
    return density


def fortran(value: float, digits: int) -> str:
    """Write as Fortran's E format with a zero before the point where there is room."""
    if value == 0:
        return f"0.{'0' * digits}E+00"
    mantissa, exponent = f"{abs(value):.{digits - 1}E}".split("E")
    text = "0." + mantissa.replace(".", "") + f"E{int(exponent) + 1:+03d}"
    return f"-{text[1:]}" if value < 0 else text


def block(values: np.ndarray, per_line: int, digits: int, gap: str) -> list[str]:
    words = [gap + fortran(float(v), digits) for v in values]
    return ["".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]


def write_chgcar(run: Run, crystal: Crystal, density: np.ndarray) -> None:
    rows = ["unknown system                          ", "   1.00000000000000     "]
    rows += [" " + "".join(f"{x:12.6f}" for x in row) for row in crystal.cell]
    rows += ["".join(f"   {s:2s}" for s in crystal.species)]
    rows += ["".join(f"{n:6d}" for n in crystal.counts), "Direct"]
    rows += ["".join(f"{x:10.6f}" for x in row) for row in crystal.fractional % 1.0]
    rows += [" "]
    grids = [(density, 1.0)] + ([(np.zeros_like(density), 0.0)] if run.ispin == 2 else [])
    for number, (grid, factor) in enumerate(grids):
        rows += ["".join(f"{n:5d}" for n in run.shape)]
        rows += block(grid.ravel(order="F"), 5, 11, " ")
        for atom, potential in enumerate(run.per_atom, start=1):
            values = factor * np.array(potential.occupancies())
            rows += [f"augmentation occupancies{atom:4d}{len(values):4d}"]
            rows += block(values, 5, 7, "  ")
        if number == 0 and run.ispin == 2:
            rows += block(np.array(run.moments), 5, 12, "  ")
    Path("CHGCAR").write_text("\n".join(rows) + "\n")


@dataclass
class Run:
    """Everything the inputs say."""

    tags: dict[str, str]
    crystal: Crystal
    potentials: list[Potential]
    kpoints: np.ndarray
    mesh: list[int]

    def __post_init__(self) -> None:
        if [p.element for p in self.potentials] != self.crystal.species:
            raise Stop("POSCAR and POTCAR do not fit together")
        self.per_atom = [
            p for p, n in zip(self.potentials, self.crystal.counts, strict=True) for _ in range(n)
        ]
        self.zvals = np.array([p.zval for p in self.per_atom])
        self.encut = float(self.tags.get("ENCUT", max(p.enmax for p in self.potentials)))
        self.ispin = int(self.tags.get("ISPIN", 1))
        self.moments = expand(self.tags.get("MAGMOM", f"{len(self.per_atom)}*1.0"))
        if self.ispin == 2 and len(self.moments) != len(self.per_atom):
            raise Stop("MAGMOM must hold one number per ion")
        self.icharg = int(self.tags.get("ICHARG", 2))
        self.nelect = float(self.tags.get("NELECT", self.zvals.sum()))
        self.shape = fine_grid(self.tags, self.crystal.cell, self.encut)
        self.nsw = int(self.tags.get("NSW", 0))
        self.ibrion = int(self.tags.get("IBRION", -1 if self.nsw == 0 else 0))


def scf_steps(run: Run, start: np.ndarray | None, goal: np.ndarray) -> int:
    """Charge 14 steps from scratch and two less for each tenfold improvement of the start."""
    scratch = spheres(run.crystal, run.zvals, run.crystal.fractional, run.shape, 0.5)
    worst = np.abs(scratch - goal).sum()
    if start is None or worst == 0:
        return 14
    if abs(start.mean() - run.nelect) > 1e-3:
        say(f"WARNING: number of electrons on CHGCAR {start.mean():.4f}")
    ratio = max(float(np.abs(start - goal).sum() / worst), 1e-4)
    return max(4, min(20, round(10 + 2 * math.log10(ratio))))


def relaxed(run: Run) -> list[tuple[Crystal, float, np.ndarray, np.ndarray]]:
    """Return structure, energy, forces and stress of each ionic step."""
    atoms = run.crystal.atoms
    if all(symbol in emt_parameters for symbol in run.crystal.species):
        atoms.calc = EMT()
    else:
        atoms.calc = LennardJones(sigma=2.1, epsilon=0.6, rc=5.0, smooth=True)
    frames = []

    def keep() -> None:
        frames.append(
            (
                run.crystal.moved(atoms), float(atoms.get_potential_energy()),
                atoms.get_forces(), atoms.get_stress(voigt=False),
            )
        )  # fmt: skip

    if run.nsw == 0 or run.ibrion not in (1, 2, 3):
        keep()
        return frames
    target: Any = atoms
    if int(run.tags.get("ISIF", 2)) >= 3:
        from ase.filters import FrechetCellFilter

        target = FrechetCellFilter(atoms)
    from ase.optimize import BFGS

    for _ in BFGS(target, logfile=None).irun(fmax=0.01, steps=min(run.nsw - 1, 6)):
        keep()
    return frames


def main() -> int:
    say("running on    1 total cores")
    tags = read_incar(Path("INCAR"))
    points, mesh = read_kpoints(Path("KPOINTS"), tags)
    run = Run(tags, read_poscar(Path("POSCAR")), read_potcar(Path("POTCAR")), points, mesh)
    say("POSCAR, INCAR and KPOINTS ok, starting setup")
    start = None
    if run.icharg in (1, 11):
        counts = [p.n_occupancies for p in run.per_atom]
        start = read_start(run.crystal, counts, run.shape, run.ispin)
        if start is None and run.icharg == 11:
            raise Stop("charge density could not be read from file CHGCAR for ICHARG>10")
    if Path("FAIL_ONCE").is_file():
        # As if the first attempt had died in a way that custodian mends.
        say(Path("FAIL_ONCE").read_text())
        Path("FAIL_ONCE").unlink()
        return 1
    say("entering main loop")
    goal = ground_state(run.crystal, run.zvals, run.shape)
    first = scf_steps(run, start, goal)
    frames = relaxed(run)
    steps = [first, *[max(first - 6, 5)] * (len(frames) - 1)]
    last = frames[-1][0]
    write_oszicar(run, frames, steps)
    write_outcar(run, frames, steps)
    write_vasprun(run, frames, steps)
    Path("CONTCAR").write_text(last.text())
    if as_bool(tags.get("LCHARG", "T")):
        write_chgcar(run, last, ground_state(last, run.zvals, run.shape))
    if as_bool(tags.get("LWAVE", "T")):
        Path("WAVECAR").write_bytes(b"made up\n")
    for name in ("DOSCAR", "EIGENVAL", "IBZKPT", "XDATCAR", "PCDAT"):
        Path(name).write_text("made up\n")
    return 0


def write_oszicar(run: Run, frames: list[Any], steps: list[int]) -> None:
    rows = []
    for number, ((_, energy, _, _), count) in enumerate(zip(frames, steps, strict=True), start=1):
        rows.append("       N       E                     dE             d eps       ncg     rms")
        for step in range(1, count + 1):
            error = 10.0 ** (1 - step)
            rows.append(
                f"DAV:{step:4d}    {fortran(energy + error, 12)}   {error:12.5E}  {-error:12.5E}"
                f"{900:6d}   {error:.3E}"
            )
        magnetic = "  mag=     0.0000" if run.ispin == 2 else ""
        text = fortran(energy, 8)
        rows.append(f"{number:4d} F= {text} E0= {text}  d E ={0:.6E}{magnetic}")
    Path("OSZICAR").write_text("\n".join(rows) + "\n")


def write_outcar(run: Run, frames: list[Any], steps: list[int]) -> None:
    n = len(run.per_atom)
    rows = [
        " vasp.5.4.1 24Jun15 (build Feb 01 2016 23:38:11) complex",
        " executed on             fake date 2026.01.01  10:00:00",
        " running on    1 total cores", "", " INCAR:",
    ]  # fmt: skip
    rows += [f" POTCAR:    {p.title}" for p in run.potentials]
    for p in run.potentials:
        rows += [f"   VRHFIN ={p.element}: made up", f"   LEXCH  = {p.exchange}",
                 f"   TITEL  = {p.title}", f"   POMASS =    1.000; ZVAL   = {p.zval:8.3f}",
                 f"   ENMAX  = {p.enmax:8.3f}; ENMIN  = {p.enmax:8.3f} eV"]  # fmt: skip
        rows += [f"  non local Contribution for L={l:12d}  read in" for l in p.channels]
    spin = f"   ISPIN  = {run.ispin:6d}    spin polarized calculation?"
    rows += [
        "   k-points           NKPTS = {0:6d}   k-points in BZ     NKDIM = {0:6d}   "
        "number of bands    NBANDS= {1:6d}".format(len(run.kpoints), n_bands(run)),
        f"   total plane-waves  NPLWV = {int(np.prod(run.shape)) // 8:6d}",
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {n:6d}",
        "   dimension x,y,z NGXF={:6d} NGYF={:5d} NGZF={:5d}".format(*run.shape),
        "   ISTART =      0    job   : 0-new  1-cont  2-samecut",
        f"   ICHARG = {run.icharg:6d}    charge: 1-file 2-atom 10-const", spin,
        f"   IBRION = {run.ibrion:6d}    ionic relax: 0-MD 1-quasi-New 2-CG",
        f"   ENCUT  = {run.encut:6.1f} eV", f"   NELECT = {run.nelect:13.4f}",
        f"   LCHARG = {'T' if as_bool(run.tags.get('LCHARG', 'T')) else 'F':>6s}    write CHGCAR",
        f"   GGA     =    {run.tags.get('GGA', '--').upper()}    GGA type", "   METAGGA=      F",
        "   LHFCALC =     F    Hartree Fock is set to", "",
    ]  # fmt: skip
    line = "-" * 104
    for number, (frame, count) in enumerate(zip(frames, steps, strict=True), start=1):
        crystal, energy, forces, stress = frame
        for step in range(1, count + 1):
            rows += [
                f"{'-' * 41} Iteration {number:4d}({step:4d})  {'-' * 39}",
                "",
                f" number of electron {run.nelect:15.7f} magnetization {0.0:15.7f}",
            ]
        rows += [
            " E-fermi :   1.0000     XC(G=0):  -9.3253     alpha+bet :-11.7276", "",
            "  alpha Z        PSCENC =         0.00000000",
            "  Ewald energy   TEWEN  =         0.00000000",
            "  -Hartree energ DENC   =         0.00000000",
            "  -exchange      EXHF   =         0.00000000",
            "  -V(xc)+E(xc)   XCENC  =         0.00000000",
            "  PAW double counting   =         0.00000000        0.00000000",
            "  entropy T*S    EENTRO =         0.00000000",
            "  eigenvalues    EBANDS =         0.00000000",
            "  atomic energy  EATOM  =         0.00000000",
            "  Solvation  Ediel_sol  =         0.00000000",
            f"  free  energy   TOTEN  = {energy:18.8f} eV",
            "", f"  energy  without entropy= {energy:18.8f}  energy(sigma->0) = {energy:18.8f}",
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):", "  in kB  "
            + "".join(f"{-1602.1766 * stress[i, j]:12.5f}"
                      for i, j in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))),
            "  external pressure =        0.00 kB  Pullay stress =        0.00 kB",
            f"  volume of cell : {abs(np.linalg.det(crystal.cell)):12.2f}",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            f" {line[:83]}",
        ]  # fmt: skip
        positions = crystal.fractional @ crystal.cell
        rows += [" " + "".join(f"{x:13.5f}" for x in (*p, *f))
                 for p, f in zip(positions, forces, strict=True)]  # fmt: skip
        rows += [f" {line[:83]}", "    total drift:                                0.0 0.0 0.0",
                 "     LOOP+:  cpu time    1.0000: real time    1.0000"]  # fmt: skip
    head = ["# of ion       s       p       d       tot", "-" * 42]
    table = [f"{i:3d}        0.000   0.000   0.000   0.000" for i in range(1, n + 1)]
    end = ["-" * 48, "tot          0.000   0.000   0.000   0.000", ""]
    rows += [" total charge     ", " ", *head, *table, *end]
    if run.ispin == 2:
        rows += [" magnetization (x)", " ", *head, *table, *end]
    rows += [
        " General timing and accounting informations for this job:", f" {'=' * 56}",
        "                  Total CPU time used (sec):        1.000",
        "                            User time (sec):        1.000",
        "                          System time (sec):        0.000",
        "                         Elapsed time (sec):        1.000",
        "                   Maximum memory used (kb):       10000.",
        "                   Average memory used (kb):           0.",
    ]  # fmt: skip
    Path("OUTCAR").write_text("\n".join(rows) + "\n")


def vector(parent: ET.Element, values: Any, tag: str = "v") -> None:
    ET.SubElement(parent, tag).text = " ".join(f"{x:.8f}" for x in values)


def varray(parent: ET.Element, name: str, rows: Any) -> None:
    element = ET.SubElement(parent, "varray", name=name)
    for row in rows:
        vector(element, np.atleast_1d(row))


def item(parent: ET.Element, name: str, value: Any) -> None:
    ET.SubElement(parent, "i", name=name).text = f"{value:.8f}"


def structure(parent: ET.Element, crystal: Crystal, name: str | None = None) -> None:
    element = ET.SubElement(parent, "structure", {"name": name} if name else {})
    lattice = ET.SubElement(element, "crystal")
    varray(lattice, "basis", crystal.cell)
    item(lattice, "volume", abs(np.linalg.det(crystal.cell)))
    varray(lattice, "rec_basis", np.linalg.inv(crystal.cell).T)
    varray(element, "positions", crystal.fractional % 1.0)


def typed(parent: ET.Element, name: str, text: str) -> None:
    """Write a tag of INCAR with its type."""
    words = text.split()
    if name == "MAGMOM" or (len(words) > 1 and all(re.match(r"[-+.\d]", w) for w in words)):
        ET.SubElement(parent, "v", name=name).text = " ".join(map(str, expand(text)))
    elif re.fullmatch(r"[-+]?\d+", text):
        ET.SubElement(parent, "i", type="int", name=name).text = text
    elif re.fullmatch(r"[-+.\dEeDd]+", text):
        ET.SubElement(parent, "i", name=name).text = text
    elif re.fullmatch(r"\.?(T|F|TRUE|FALSE)\.?", text, re.IGNORECASE):
        ET.SubElement(parent, "i", type="logical", name=name).text = "T" if as_bool(text) else "F"
    else:
        ET.SubElement(parent, "i", type="string", name=name).text = text


def write_vasprun(run: Run, frames: list[Any], steps: list[int]) -> None:
    with gzip.open(TEMPLATE, "rt", encoding="latin-1") as stream:
        template = ET.fromstring(stream.read())  # noqa: S314 - a file of ours
    root = ET.Element("modeling")
    root.append(template.find("generator"))  # type: ignore[arg-type]
    incar = ET.SubElement(root, "incar")
    for name, text in run.tags.items():
        typed(incar, name, text)
    kpoints = ET.SubElement(root, "kpoints")
    generation = ET.SubElement(kpoints, "generation", param="Gamma")
    ET.SubElement(generation, "v", type="int", name="divisions").text = " ".join(map(str, run.mesh))
    for name in ("usershift", "shift"):
        ET.SubElement(generation, "v", name=name).text = "0.0 0.0 0.0"
    varray(kpoints, "kpointlist", run.kpoints)
    varray(kpoints, "weights", np.full(len(run.kpoints), 1 / len(run.kpoints)))
    root.append(parameters(run, template))
    root.append(atominfo(run))
    structure(root, run.crystal, "initialpos")
    for number, (frame, count) in enumerate(zip(frames, steps, strict=True)):
        calculation(root, run, frame, count, is_last=number == len(frames) - 1)
    structure(root, frames[-1][0], "finalpos")
    text = ET.tostring(root, encoding="ISO-8859-1")
    Path("vasprun.xml").write_bytes(text.replace(b"><", b">\n<"))


def parameters(run: Run, template: ET.Element) -> ET.Element:
    """Take the parameters of the real run, changed to those of this one."""
    element = template.find("parameters")
    if element is None:
        raise Stop("the template has no parameters")
    defaults = {"NSW": str(run.nsw), "IBRION": str(run.ibrion), "ICHARG": "2", "ISPIN": "1"}
    values = defaults | run.tags | {
        "ENMAX": str(run.encut), "NELECT": str(run.nelect), "NBANDS": str(n_bands(run)),
    }  # fmt: skip
    for each in element.iter():
        name = each.get("name", "")
        if each.tag == "v" and name == "MAGMOM":
            each.text = " ".join(map(str, run.moments))
        elif each.tag == "i" and name in values:
            is_logical = each.get("type") == "logical"
            known = re.fullmatch(r"[\w.+\-]+", values[name])
            each.text = ("T" if as_bool(values[name]) else "F") if is_logical else (
                values[name] if known else each.text)  # fmt: skip
        elif each.tag == "i" and name in {f"NG{a}F" for a in "XYZ"}:
            each.text = str(run.shape["XYZ".index(name[2])])
    return element


def atominfo(run: Run) -> ET.Element:
    element = ET.Element("atominfo")
    ET.SubElement(element, "atoms").text = str(len(run.per_atom))
    ET.SubElement(element, "types").text = str(len(run.potentials))
    atoms = ET.SubElement(ET.SubElement(element, "array", name="atoms"), "set")
    for kind, count in enumerate(run.crystal.counts, start=1):
        for _ in range(count):
            row = ET.SubElement(atoms, "rc")
            ET.SubElement(row, "c").text = run.crystal.species[kind - 1]
            ET.SubElement(row, "c").text = str(kind)
    types = ET.SubElement(ET.SubElement(element, "array", name="atomtypes"), "set")
    for potential, count in zip(run.potentials, run.crystal.counts, strict=True):
        row = ET.SubElement(types, "rc")
        words = (count, potential.element, 1.0, potential.zval, potential.title)
        for word in words:
            ET.SubElement(row, "c").text = str(word)
    return element


def n_bands(run: Run) -> int:
    return math.ceil(run.nelect / 2) + 2


def calculation(root: ET.Element, run: Run, frame: Any, count: int, *, is_last: bool) -> None:
    crystal, energy, forces, stress = frame
    element = ET.SubElement(root, "calculation")
    for step in range(count):
        energies = ET.SubElement(ET.SubElement(element, "scstep"), "energy")
        for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy"):
            item(energies, name, energy + (0.0 if step == count - 1 else 10.0**-step))
    structure(element, crystal)
    varray(element, "forces", forces)
    varray(element, "stress", -1602.1766 * stress)
    energies = ET.SubElement(element, "energy")
    for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy"):
        item(energies, name, energy)
    if is_last:
        bands(element, run)


def bands(element: ET.Element, run: Run) -> None:
    """Write an insulator: filled bands at -5 eV and empty ones at 3 eV."""
    filled = math.ceil(run.nelect / 2)
    array = ET.SubElement(ET.SubElement(element, "eigenvalues"), "array")
    outer = ET.SubElement(array, "set")
    for spin in range(1, run.ispin + 1):
        per_spin = ET.SubElement(outer, "set", comment=f"spin {spin}")
        for number in range(1, len(run.kpoints) + 1):
            point = ET.SubElement(per_spin, "set", comment=f"kpoint {number}")
            for band in range(n_bands(run)):
                occupied = band < filled
                vector(point, (-5.0 + 0.1 * band if occupied else 3.0, float(occupied)), "r")
    dos = ET.SubElement(element, "dos")
    item(dos, "efermi", 1.0)
    total = ET.SubElement(ET.SubElement(ET.SubElement(dos, "total"), "array"), "set")
    for spin in range(1, run.ispin + 1):
        rows = ET.SubElement(total, "set", comment=f"spin {spin}")
        for level in np.linspace(-10, 10, 41):
            vector(rows, (level, float(level < -4), min(max(level + 10, 0), 6)), "r")


if __name__ == "__main__":
    sys.exit(main())
