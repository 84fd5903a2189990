"""Write the input of ``pw.x``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymatgen.core import Element

from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["OUT_FOLDER", "PREFIX", "input_text"]

PREFIX = "pwscf"
OUT_FOLDER = "out"
"""Where ``pw.x`` writes, relative to the folder it runs in."""

_Value = str | float | bool


def input_text(
    crystal: Crystal,
    settings: EspressoSettings,
    *,
    from_file: bool = False,
    with_orbitals: bool = False,
    diago_thr_init: float | None = None,
    cycles: int | None = None,
) -> str:
    """Return the input of one self-consistent calculation.

    Lengths are given in bohr, so that nothing depends on the constants of the program.

    Parameters
    ----------
    crystal
        What to compute.
    settings
        How.
    from_file
        Whether to start from ``charge-density.dat`` in the output folder.
    with_orbitals
        Whether the first diagonalisation begins with the orbitals in the output folder.
    diago_thr_init
        Threshold of the first diagonalisation; that of the program when None.
    cycles
        Stop after so many, converged or not, the last density being as computed, not mixed.
    """
    electrons: dict[str, _Value] = {
        "conv_thr": settings.conv_thr_ry,
        "mixing_beta": settings.mixing_beta,
        "electron_maxstep": settings.max_cycle,
        "diagonalization": settings.diagonalization,
    }
    if from_file:
        electrons["startingpot"] = "file"
    if with_orbitals:
        electrons["startingwfc"] = "file"
    if diago_thr_init is not None:
        electrons["diago_thr_init"] = diago_thr_init
    if cycles is not None:
        electrons |= {"electron_maxstep": cycles, "mixing_beta": 1.0, "scf_must_converge": False}
    control: dict[str, _Value] = {
        "calculation": "scf",
        "prefix": PREFIX,
        "outdir": f"./{OUT_FOLDER}",
        "pseudo_dir": settings.pseudo_dir,
        "tprnfor": settings.forces,
    }
    cards = [
        _namelist("control", control),
        _namelist("system", _system(crystal, settings)),
        _namelist("electrons", electrons),
        _species(crystal, settings),
        _rows("CELL_PARAMETERS bohr", [""] * 3, crystal.cell_bohr.tolist()),
        _rows(
            "ATOMIC_POSITIONS bohr",
            crystal.symbols,
            (crystal.positions / BOHR_TO_ANGSTROM).tolist(),
        ),
        _kpoints(settings),
    ]
    return "\n".join(cards) + "\n"


def _system(crystal: Crystal, settings: EspressoSettings) -> dict[str, _Value]:
    species = sorted(set(crystal.symbols))
    values: dict[str, _Value] = {
        "ibrav": 0,
        "nat": len(crystal.numbers),
        "ntyp": len(species),
        "ecutwfc": settings.ecutwfc_ry,
        "ecutrho": settings.cutoff_ry,
        "tot_charge": float(crystal.charge),
    }
    if settings.smearing != "none":
        values |= {
            "occupations": "smearing",
            "smearing": settings.smearing,
            "degauss": settings.degauss_ry,
        }
    if settings.spin == "unrestricted":
        values["nspin"] = 2
        for index, symbol in enumerate(species, start=1):
            start = settings.starting_magnetization.get(symbol, 0.0)
            values[f"starting_magnetization({index})"] = start
    return values


def _namelist(name: str, values: Mapping[str, _Value]) -> str:
    return "\n".join([f"&{name}", *(f"  {key} = {_text(v)}" for key, v in values.items()), "/"])


def _text(value: _Value) -> str:
    if isinstance(value, bool):
        return f".{str(value).lower()}."
    return f"'{value}'" if isinstance(value, str) else repr(value)


def _species(crystal: Crystal, settings: EspressoSettings) -> str:
    lines = [
        f"{symbol} {float(Element(symbol).atomic_mass)} {settings.pseudopotentials[symbol]}"
        for symbol in sorted(set(crystal.symbols))
    ]
    return "\n".join(["ATOMIC_SPECIES", *lines])


def _rows(title: str, labels: Sequence[str], rows: Sequence[Sequence[float]]) -> str:
    lines = [
        f"{label} {x:.14f} {y:.14f} {z:.14f}".strip()
        for label, (x, y, z) in zip(labels, rows, strict=True)
    ]
    return "\n".join([title, *lines])


def _kpoints(settings: EspressoSettings) -> str:
    if settings.gamma_only:
        return "K_POINTS gamma"
    numbers = " ".join(map(str, (*settings.kpoints, *settings.kshift)))
    return f"K_POINTS automatic\n{numbers}"
