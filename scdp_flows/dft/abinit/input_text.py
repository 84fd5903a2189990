"""Write the input of ABINIT."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Element

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scdp_flows.dft.abinit.inputs import AbinitSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["PREFIX", "SEED_FILE", "density_grid", "input_text", "own_grid", "species"]

PREFIX = "run"
"""First part of the names of all files."""
SEED_FILE = "seed_DEN"
"""The density to start from."""

_OCCUPATIONS = {"none": 1, "fd": 3, "mv": 4, "mp": 6, "gaussian": 7}
_MIXINGS = {"potential": 7, "density": 17}
_FACTORS = (2, 3, 5)
_TIGHT = 1e-8
_MOST_BANDS = 1.2
_LEAST_EXTRA_BANDS = 4


def species(crystal: Crystal) -> list[str]:
    """Return the elements in the order of the types."""
    return sorted(set(crystal.symbols))


def density_grid(crystal: Crystal, settings: AbinitSettings) -> tuple[int, int, int]:
    """Return the grid (``ngfft``) that holds all waves of the density.

    It is given in the input, so that a density can be rendered before the program has run.
    """
    n1, n2, n3 = (_smooth(2 * math.floor(n + 1e-6) + 1) for n in _highest(crystal, settings))
    return n1, n2, n3


def own_grid(crystal: Crystal, settings: AbinitSettings) -> tuple[int, int, int]:
    """Return the grid that the program chooses where the input names none.

    Found by trying: half of each number, rounded down, is not below the highest index.
    """
    n1, n2, n3 = (_smooth(2 * math.ceil(n - 1e-9)) for n in _highest(crystal, settings))
    return n1, n2, n3


def _highest(crystal: Crystal, settings: AbinitSettings) -> list[float]:
    """Return how far the waves of the density reach along each axis, as Miller indices."""
    lengths = np.linalg.norm(crystal.cell_bohr, axis=1)
    reach: list[float] = (np.sqrt(settings.cutoff_ry) * lengths / (2 * np.pi)).tolist()
    return reach


def _smooth(least: int) -> int:
    """Return the next number that fast transforms like."""
    number = least
    while True:
        rest = number
        for factor in _FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return number
        number += 1


def input_text(crystal: Crystal, settings: AbinitSettings, seed_tolwfr: float | None = None) -> str:
    """Return the input of one self-consistent calculation.

    Parameters
    ----------
    crystal
        What to compute.
    settings
        How.
    seed_tolwfr
        Squared residual to which orbitals are converged for the density in the seed file, before
        the self-consistent part; None starts without a density.
    """
    lines = [
        *_start(settings, seed_tolwfr),
        f"ecut {settings.ecut_ha!r}",
        _numbers("ngfft", density_grid(crystal, settings)),
        f"diemac {settings.diemac!r}",
        f"optforces {2 if settings.forces else 0} optstress 0",
        "prteig 0 prtebands 0 prtgsr 0 prtden 1 iomode 0 timopt -2",
        *_structure(crystal, settings),
        *_occupations(crystal, settings),
        _numbers("ngkpt", settings.kpoints),
        _numbers("nshiftk 1 shiftk", (0.5 * shift for shift in settings.kshift)),
        "kptopt 1 chksymbreak 0 chksymtnons 0",
    ]
    return "\n".join(lines) + "\n"


def _start(settings: AbinitSettings, seed_tolwfr: float | None) -> list[str]:
    """Say what is converged from what."""
    scf = (
        f"iscf{{0}} {_MIXINGS[settings.mixing]} tolvrs{{0}} {settings.tolvrs!r} "
        f"nstep{{0}} {settings.max_cycle}"
    )
    if seed_tolwfr is None:
        return [scf.format(""), "prtwf 0"]
    # Orbitals start at random; unless they are converged first they spoil the density.
    first = f"iscf1 -2 tolwfr1 {seed_tolwfr!r} nstep1 {settings.max_cycle} prtwf1 1"
    density = f'getden_filepath "{SEED_FILE}"'
    # They are good then: the double sweeps of the first two steps would be wasted, unless the
    # density is so good that nothing else is left to be done.
    sweeps = "nnsclo2 1" if seed_tolwfr > _TIGHT else "nnsclo2 0"
    return ["ndtset 2", first, scf.format("2"), f"{sweeps} getwfk2 1 prtwf2 0", density]


def _structure(crystal: Crystal, settings: AbinitSettings) -> list[str]:
    names = species(crystal)
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    files = ", ".join(settings.pseudopotentials[symbol] for symbol in names)
    return [
        f'pp_dirpath "{Path(settings.pseudo_dir).resolve()}"',
        f'pseudos "{files}"',
        _numbers("acell 3*1.0 rprim", crystal.cell_bohr.ravel()),
        _numbers(f"ntypat {len(names)} znucl", (Element(symbol).Z for symbol in names)),
        _numbers(
            f"natom {len(crystal.numbers)} typat",
            (names.index(symbol) + 1 for symbol in crystal.symbols),
        ),
        _numbers("xred", fractional.ravel()),
        f"cellcharge {crystal.charge}",
    ]


def _occupations(crystal: Crystal, settings: AbinitSettings) -> list[str]:
    full = math.ceil(crystal.n_electrons / 2)
    if settings.smearing == "none":
        return [f"occopt 1 nband {full}"]
    n_bands = max(math.ceil(_MOST_BANDS * full), full + _LEAST_EXTRA_BANDS)
    lines = [
        f"occopt {_OCCUPATIONS[settings.smearing]} tsmear {settings.tsmear_ha!r} nband {n_bands}"
    ]
    if settings.spin == "unrestricted":
        valence = {p.symbol: p.n_electrons for p in settings.all_pseudopotentials(crystal.symbols)}
        moments = [
            settings.starting_magnetization.get(symbol, 0.0) * valence[symbol]
            for symbol in crystal.symbols
        ]
        spins = " ".join(f"0 0 {moment!r}" for moment in moments)
        lines.append(f"nsppol 2 nspden 2 spinat {spins}")
    return lines


def _numbers(name: str, values: Iterable[float]) -> str:
    """Return a variable, a few numbers to the line: long lines are cut by the program."""
    texts = [f"{x:.15g}" for x in values]
    rows = [" ".join(texts[i : i + 3]) for i in range(0, len(texts), 3)]
    return f"{name} " + "\n  ".join(rows)
