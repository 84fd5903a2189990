"""Read the plot files of Quantum ESPRESSO's ``pp.x`` (``filplot``).

Values are in e/bohr^3, the first index running fastest; positions are in units of the lattice
parameter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.grid_text import Lines, open_lines, read_numbers
from scdp_flows.io.number_lines import read_row
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["EspressoPlotFormat", "read_espresso_plot"]

_PERIODIC = (True, True, True)
_CHARGE = 0
_HEAD = re.compile(
    r"[^\n]*\n(?:[ \t]+\d+){8}[ \t]*\r?\n[ \t]*-?\d+(?:[ \t]+[-+.\dEe]+){6}[ \t]*\r?\n"
)
_FIX = "this is no plot file of pp.x, or it is damaged: write it anew"

# Primitive vectors in units of celldm(1), as the documentation of pw.x defines them.
_LATTICES = {
    1: ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    2: ((-0.5, 0, 0.5), (0, 0.5, 0.5), (-0.5, 0.5, 0)),
    3: ((0.5, 0.5, 0.5), (-0.5, 0.5, 0.5), (-0.5, -0.5, 0.5)),
    4: ((1, 0, 0), (-0.5, np.sqrt(0.75), 0), (0, 0, 1)),
    6: ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    8: ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}


@dataclass(frozen=True)
class EspressoPlotFormat:
    """Make plot files known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first lines whether a file is of this format."""
        return _HEAD.match(head) is not None

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_espresso_plot(path)


def read_espresso_plot(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a charge density that ``pp.x`` extracted (``plot_num=0``), also compressed.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed or truncated, or holds another quantity.
    """
    with open_lines(path) as lines:
        lines.require("title")
        stored, shape, n_atoms, n_types = _read_sizes(lines)
        parameter, cell = _read_cell(lines)
        _check_quantity(lines)
        types = [_read_type(lines) for _ in range(n_types)]
        atoms = [read_row(lines, 5, field="atom", fix=_FIX) for _ in range(n_atoms)]
        numbers = [_element(lines, types, row[4]) for row in atoms]
        n1, n2, n3 = shape
        flat = read_numbers(lines, stored[0] * stored[1] * stored[2], field="values")
        if next((line for line in lines if line.strip()), None) is not None:
            raise lines.error("more follows the values", field="values", fix=_FIX)
        values = flat.reshape(stored, order="F")[:n1, :n2, :n3]
        return ChargeDensity(
            values / BOHR_TO_ANGSTROM**3,
            cell,
            np.zeros(3),
            np.array(numbers),
            np.array([row[1:4] for row in atoms]) * parameter,
            pbc=_PERIODIC,
        )


_Shape = tuple[int, int, int]


def _read_sizes(lines: Lines) -> tuple[_Shape, _Shape, int, int]:
    """Read the stored and the used grid, and the numbers of atoms and types."""
    counts = [int(value) for value in read_row(lines, 8, field="grid", fix=_FIX)]
    if min(counts) < 1 or any(x < n for x, n in zip(counts[:3], counts[3:6], strict=True)):
        raise lines.error(f"found {counts}, expected positive sizes", field="grid", fix=_FIX)
    x1, x2, x3, n1, n2, n3, n_atoms, n_types = counts
    return (x1, x2, x3), (n1, n2, n3), n_atoms, n_types


def _read_cell(lines: Lines) -> tuple[float, NDArray[np.float64]]:
    """Read lattice parameter and cell, Å."""
    lattice, *constants = read_row(lines, 7, field="lattice", fix=_FIX)
    parameter = constants[0] * BOHR_TO_ANGSTROM
    if lattice == 0:
        rows = [read_row(lines, 3, field="lattice", fix=_FIX) for _ in range(3)]
    elif round(lattice) in _LATTICES:
        rows = [list(row) for row in _LATTICES[round(lattice)]]
        if round(lattice) == 8:
            rows[1][1] = constants[1]
        if round(lattice) in {4, 6, 8}:
            rows[2][2] = constants[2]
    else:
        raise lines.error(
            f"ibrav={lattice:g} is not supported",
            field="lattice",
            fix=f"run with ibrav=0, or one of {sorted(_LATTICES)}",
        )
    cell = np.array(rows) * parameter
    if not abs(np.linalg.det(cell)) > 0:
        raise lines.error("the cell has no volume", field="lattice", fix=_FIX)
    return parameter, cell


def _check_quantity(lines: Lines) -> None:
    """Refuse potentials, wave functions and differences, which share the format."""
    quantity = read_row(lines, 4, field="plot_num", fix=_FIX)[3]
    if quantity != _CHARGE:
        raise lines.error(
            f"plot_num={quantity:g} is no charge density",
            field="plot_num",
            fix="run pp.x with plot_num=0",
        )


def _read_type(lines: Lines) -> str:
    """Read the label of a type of atoms: its number, label and charge."""
    words = lines.require("atom type").split()
    if len(words) != 3:
        raise lines.error(f"found {words}, expected three words", field="atom type", fix=_FIX)
    return words[1]


def _element(lines: Lines, types: list[str], number: float) -> int:
    """Return the atomic number of the type of an atom."""
    label = types[int(number) - 1] if 1 <= number <= len(types) else ""
    found = atomic_number(label)
    if not found:
        raise lines.error(
            f"type {number:g} ({label!r}) is no element", field="atom", fix="rename the species"
        )
    return found
