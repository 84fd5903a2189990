"""Read the input files of a VASP folder, and change the one tag of INCAR that a seed needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.io.vasp.inputs import Incar, Poscar

from scdp_flows.dft.vasp.grid import Shape, fft_grid
from scdp_flows.dft.vasp.potcar import PotcarEntry, read_potcar
from scdp_flows.errors import CalculationError
from scdp_flows.io.compression import open_text, replace_binary
from scdp_flows.io.vasp_run import find_output

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from pymatgen.core import Structure

__all__ = ["VaspFolder", "read_folder", "with_tag"]

_FUNCTIONALS = {"PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "91": "PW91",
                "CA": "LDA"}  # fmt: skip
_SPEC = "POTCAR.spec"


@dataclass(frozen=True)
class VaspFolder:
    """What the inputs of a calculation say."""

    path: Path
    """The folder."""
    tags: Mapping[str, Any]
    """INCAR."""
    structure: Structure
    """POSCAR, atoms in its order."""
    potcar: tuple[PotcarEntry, ...]
    """POTCAR, one entry per run of equal species; empty if there is a POTCAR.spec only."""
    symbols: tuple[str, ...]
    """Elements of POTCAR or POTCAR.spec, one per run of species."""
    titles: tuple[str, ...]
    """TITEL of each pseudopotential, or its symbol of POTCAR.spec."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Atomic numbers (n_atoms,)."""
        return np.array(self.structure.atomic_numbers, dtype=np.int64)

    @property
    def ispin(self) -> int:
        """1 without, 2 with spin."""
        return int(self.tags.get("ISPIN", 1))

    @property
    def moments(self) -> list[float]:
        """Requested moment of each atom, µB; VASP's default is one for each."""
        given = self.tags.get("MAGMOM")
        if given is None:
            return [1.0] * len(self.structure)
        return [float(value) for value in np.ravel(given)]

    @property
    def functional(self) -> str | None:
        """Exchange-correlation functional; None if nothing in the folder names it."""
        meta = str(self.tags.get("METAGGA", "none")).strip().upper()
        if meta not in {"NONE", "--", "F"}:
            return meta
        gga = str(self.tags.get("GGA", "")).strip().upper()
        name = _FUNCTIONALS.get(gga, gga) if gga and gga != "--" else self._default_functional()
        if name and str(self.tags.get("LHFCALC", False)).strip(". ").lower().startswith("t"):
            return f"hybrid-{name}"
        return name

    def _default_functional(self) -> str | None:
        return self.potcar[0].functional if self.potcar else None

    @property
    def atom_titles(self) -> tuple[str, ...]:
        """The pseudopotential of each atom."""
        return tuple(self.titles[run] for run in self._runs())

    @property
    def channels(self) -> tuple[tuple[int, ...], ...] | None:
        """Projector channels of each atom; None if the POTCAR is not there."""
        if not self.potcar:
            return None
        return tuple(self.potcar[run].channels for run in self._runs())

    @property
    def atom_hashes(self) -> tuple[str | None, ...]:
        """What identifies the pseudopotential of each atom; None where there is no POTCAR."""
        if not self.potcar:
            return (None,) * len(self.numbers)
        return tuple(self.potcar[run].potcar_hash for run in self._runs())

    @property
    def valences(self) -> NDArray[np.float64] | None:
        """Valence electrons of each neutral atom (n_atoms,); None if the POTCAR is not there."""
        if not self.potcar:
            return None
        return np.array([self.potcar[run].n_electrons for run in self._runs()])

    @property
    def n_electrons(self) -> float | None:
        """NELECT; None if neither INCAR nor a POTCAR tells it."""
        if "NELECT" in self.tags:
            return float(self.tags["NELECT"])
        valences = self.valences
        return None if valences is None else float(valences.sum())

    def shape(self) -> Shape:
        """Return the FFT grid that VASP will use.

        Raises
        ------
        CalculationError
            If it cannot be told.
        """
        cutoff = max((entry.encut_ev for entry in self.potcar), default=None)
        return fft_grid(self.tags, self.structure, cutoff)

    def _runs(self) -> list[int]:
        """Return the run of equal species to which each atom belongs."""
        numbers = self.numbers
        runs = np.concatenate([[0], np.cumsum(numbers[1:] != numbers[:-1])])
        return [int(run) for run in runs]


def read_folder(folder: str | os.PathLike[str]) -> VaspFolder:
    """Read INCAR, POSCAR and POTCAR or POTCAR.spec of a calculation that is about to run.

    Raises
    ------
    CalculationError
        If a file is missing, cannot be understood, or POTCAR and POSCAR do not fit together.
    """
    path = Path(folder)
    tags = _parse(path, "INCAR", Incar.from_str)
    poscar = _parse(path, "POSCAR", Poscar.from_str)
    found = find_output(path, "POTCAR")
    entries = () if found is None else read_potcar(found)
    species, titles = _species(path, entries)
    inputs = VaspFolder(
        path, {str(k).upper(): v for k, v in tags.items()}, poscar.structure, entries,
        species, titles,
    )  # fmt: skip
    runs = tuple(poscar.site_symbols)
    if species != runs:
        raise CalculationError(
            f"{path}: POSCAR holds the species {' '.join(runs)}, POTCAR {' '.join(species)}; "
            "write the inputs anew"
        )
    return inputs


def _species(path: Path, entries: tuple[PotcarEntry, ...]) -> tuple[tuple[str, ...], ...]:
    """Return elements and titles of the pseudopotentials."""
    if entries:
        return tuple(e.element for e in entries), tuple(e.title for e in entries)
    spec = path / _SPEC
    if not spec.is_file():
        raise CalculationError(f"{path}: neither POTCAR nor {_SPEC} is there; write the inputs")
    symbols = tuple(spec.read_text(encoding="utf-8").split())
    return tuple(symbol.split("_")[0] for symbol in symbols), symbols


def _parse(path: Path, name: str, parser: Any) -> Any:
    """Read one input file by pymatgen."""
    file = find_output(path, name)
    if file is None:
        raise CalculationError(f"{path}: {name} is missing; write the inputs first")
    try:
        with open_text(file) as stream:
            return parser(stream.read())
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise CalculationError(f"{file}: cannot be understood ({error}); correct it") from error


def with_tag(folder: str | os.PathLike[str], name: str, value: str) -> None:
    """Set one tag of the INCAR in a folder and leave every other character as it is.

    Parameters
    ----------
    folder
        The folder; its INCAR must be a plain file.
    name, value
        The tag and its new value.
    """
    path = Path(folder) / "INCAR"
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(
        rf"(?im)^((?:[^!#\n]*;)?[ \t]*{name}[ \t]*=[ \t]*)[^;!#\n]*?(?=[ \t]*(?:[;!#]|$))"
    )
    changed, count = pattern.subn(rf"\g<1>{value}", text)
    if count == 0:
        changed = text + ("" if text.endswith("\n") or not text else "\n") + f"{name} = {value}\n"
    with replace_binary(path) as stream:
        stream.write(changed.encode())
