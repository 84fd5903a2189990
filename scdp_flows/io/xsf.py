"""Read densities from the XSF files of XCrySDen.

Lengths are in Å. The format does not say what its values are: Quantum ESPRESSO writes e/bohr^3,
others e/Å^3. The unit is judged by the number of electrons, or given by the name of the format.
Grids are general: the last plane of each direction repeats the first, and the first index runs
fastest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.grid_text import Lines, open_lines, read_numbers
from scdp_flows.io.number_lines import read_row
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["XsfAngstromFormat", "XsfBohrFormat", "XsfFormat", "XsfUnit", "read_xsf"]

XsfUnit = Literal["e/ang3", "e/bohr3"]

_PERIODICITY = {
    "MOLECULE": (False, False, False),
    "ATOMS": (False, False, False),
    "POLYMER": (True, False, False),
    "SLAB": (True, True, False),
    "CRYSTAL": (True, True, True),
}
_HEAD = re.compile(
    rf"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:{'|'.join(_PERIODICITY)})[ \t]*\r?\n", re.IGNORECASE
)
_FACTORS: dict[XsfUnit, float] = {"e/ang3": 1.0, "e/bohr3": BOHR_TO_ANGSTROM**-3}
_WHOLE = 0.02
_FIX = "this is no XSF file of a density, or it is damaged: write it anew"


@dataclass(frozen=True)
class XsfFormat:
    """Make XSF known to ``read_density``; the unit is judged by the number of electrons."""

    def sniff(self, head: str) -> bool:
        """Tell by its first lines whether a file is of this format."""
        return _HEAD.match(head) is not None

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_xsf(path)


@dataclass(frozen=True)
class XsfAngstromFormat:
    """Make XSF in e/Å^3 known to ``read_density``, for those who name it."""

    def sniff(self, head: str) -> bool:  # noqa: ARG002 - no content tells the unit
        """Recognise nothing."""
        return False

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_xsf(path, unit="e/ang3")


@dataclass(frozen=True)
class XsfBohrFormat:
    """Make XSF in e/bohr^3 known to ``read_density``, for those who name it."""

    def sniff(self, head: str) -> bool:  # noqa: ARG002 - no content tells the unit
        """Recognise nothing."""
        return False

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_xsf(path, unit="e/bohr3")


def read_xsf(path: str | os.PathLike[str], *, unit: XsfUnit | None = None) -> ChargeDensity:
    """Read the density of an XSF file, also compressed.

    Parameters
    ----------
    path
        The file; it must hold one grid.
    unit
        Unit of the values. Default: the one that gives a whole number of electrons which the atoms
        can have, if there is exactly one such unit.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed or truncated, holds several grids or an animation, or its
        unit cannot be told.
    """
    with open_lines(path) as lines:
        pbc, cell, numbers, positions = _read_structure(lines)
        if not numbers:
            raise lines.error("there are no atoms", field="PRIMCOORD", fix=_FIX)
        origin, spanning, values = _read_grid(lines)
        grid = ChargeDensity(
            values, spanning, origin, np.array(numbers), np.array(positions), pbc=pbc
        )
        if cell is not None and not np.allclose(cell, spanning, atol=1e-3) and any(pbc):
            raise lines.error(
                "the grid spans another box than the primitive cell",
                field="DATAGRID_3D",
                fix="write the density of one whole cell",
            )
        chosen = unit or _judge_unit(lines, grid)
        return replace(grid, values=grid.values * _FACTORS[chosen])


def _judge_unit(lines: Lines, grid: ChargeDensity) -> XsfUnit:
    """Find the unit in which the atoms have a whole and possible number of electrons."""
    raw = grid.integral()
    counts = {unit: raw * factor for unit, factor in _FACTORS.items()}
    most, least = int(grid.numbers.sum()) + 1, 0.9 * len(grid.numbers)
    fitting = [
        unit
        for unit, count in counts.items()
        if abs(count - round(count)) < _WHOLE and least <= count <= most
    ]
    if len(fitting) == 1:
        return fitting[0]
    listing = " or ".join(f"{count:.4f} electrons in {unit}" for unit, count in counts.items())
    raise lines.error(
        f"the unit cannot be told: {listing}",
        field="DATAGRID_3D",
        fix="name the format xsf_angstrom (e/Å^3) or xsf_bohr (e/bohr^3)",
    )


_Structure = tuple[
    tuple[bool, bool, bool], "NDArray[np.float64] | None", list[int], list[list[float]]
]


def _read_structure(lines: Lines) -> _Structure:
    """Read up to the first grid."""
    pbc, cell = _PERIODICITY["MOLECULE"], None
    numbers: list[int] = []
    positions: list[list[float]] = []
    for line in lines:
        word = line.split("#")[0].strip().upper()
        if word.startswith("ANIMSTEPS"):
            raise lines.error("holds an animation", field="ANIMSTEPS", fix="keep one structure")
        if word.startswith("BEGIN_BLOCK_DATAGRID"):
            return pbc, cell, numbers, positions
        if word in _PERIODICITY:
            pbc = _PERIODICITY[word]
        elif word == "PRIMVEC":
            rows = [read_row(lines, 3, field="PRIMVEC", fix=_FIX) for _ in range(3)]
            cell = np.array(rows)
        elif word == "PRIMCOORD":
            count = int(read_row(lines, 2, field="PRIMCOORD", fix=_FIX)[0])
            for _ in range(count):
                _read_atom(lines, lines.require("PRIMCOORD"), numbers, positions)
        elif pbc == _PERIODICITY["MOLECULE"] and len(word.split()) >= 4:
            _read_atom(lines, word, numbers, positions)
    raise lines.error("there is no grid", field="DATAGRID_3D", fix="a structure without a density")


def _read_atom(lines: Lines, text: str, numbers: list[int], positions: list[list[float]]) -> None:
    """Add the atom of a line: an element or number, three coordinates and maybe a force."""
    label, *rest = text.split() or [""]
    try:
        place = [float(word) for word in rest[:3]]
    except ValueError:
        place = []
    number = atomic_number(label)
    if not number or len(place) != 3 or not np.isfinite(place).all():
        raise lines.error(f"found {text[:60]!r}, expected an atom", field="PRIMCOORD", fix=_FIX)
    numbers.append(number)
    positions.append(place)


def _read_grid(
    lines: Lines,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read the only grid; return origin, spanning vectors and values without repeated planes."""
    name = lines.require("DATAGRID_3D")
    while not re.match(r"(BEGIN_)?DATAGRID_3D", name, re.IGNORECASE):
        name = lines.require("DATAGRID_3D")
    stored = [int(n) for n in read_row(lines, 3, field="grid points", fix=_FIX)]
    if min(stored) < 2:
        raise lines.error(f"found {stored}, expected two or more", field="grid points", fix=_FIX)
    origin = np.array(read_row(lines, 3, field="origin", fix=_FIX))
    rows = [read_row(lines, 3, field="spanning vectors", fix=_FIX) for _ in range(3)]
    flat = read_numbers(lines, stored[0] * stored[1] * stored[2], field="values")
    if not lines.require("END_DATAGRID_3D").upper().startswith("END_DATAGRID"):
        raise lines.error("more values than announced", field="values", fix=_FIX)
    if any(re.match(r"\s*(BEGIN_)?DATAGRID_3D", line, re.IGNORECASE) for line in lines):
        raise lines.error("a second grid follows", field="DATAGRID_3D", fix="keep one grid")
    values = flat.reshape(stored, order="F")
    return origin, np.array(rows), values[:-1, :-1, :-1]
