"""Parse xyz and extended xyz files.

The comment line of a frame may hold ``key=value`` pairs. ``Lattice``, ``pbc`` and ``Properties``
follow the extended xyz convention; ``charge`` and ``spin_multiplicity`` are understood; all other
pairs become the ``properties`` of the structure. A frame without periodic direction is a molecule.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import Element
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AtomicStructure", "parse_xyz"]

AtomicStructure: TypeAlias = Molecule | Structure
Scalar: TypeAlias = str | int | float | bool

_PAIR = re.compile(r"""([A-Za-z_][\w\-]*)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|[^\s"'=]+)""")
_TRUE = {"t", "true", "1"}
_FALSE = {"f", "false", "0"}
_SYMBOL_BY_NUMBER = {str(element.Z): element.symbol for element in Element}
_RESERVED = {"lattice", "properties", "pbc", "charge", "spin_multiplicity", "multiplicity"}


class _Columns(NamedTuple):
    """Where symbol and position stand in an atom line."""

    symbol: int = 0
    position: int = 1


def parse_xyz(lines: Iterator[str], file: str) -> Iterator[AtomicStructure]:
    """Yield the frames of an (extended) xyz file in order.

    Parameters
    ----------
    lines
        The lines of the file.
    file
        Its name, for messages.

    Raises
    ------
    StructureError
        If a frame is incomplete or malformed; the message names file and line.
    """
    numbered = enumerate(lines, start=1)
    for row, line in numbered:
        if not line.strip():
            continue
        n_atoms = _atom_count(line, f"{file}, line {row}")
        comment = next(numbered, (row + 1, ""))[1]
        atoms = [entry for _, entry in zip(range(n_atoms), numbered, strict=False)]
        if len(atoms) < n_atoms:
            message = (
                f"{file}, line {row}: {n_atoms} atoms are announced and {len(atoms)} lines follow; "
                "the file is truncated or the count is wrong"
            )
            raise StructureError(message)
        yield _frame(comment, atoms, file, row)


def _atom_count(line: str, where: str) -> int:
    """Read the first line of a frame."""
    text = line.strip()
    if not text.isdecimal() or int(text) == 0:
        message = (
            f"{where}: found {text[:60]!r} where the number of atoms (a positive integer) is due; "
            "xyz frames are: count, comment, one line per atom"
        )
        raise StructureError(message)
    return int(text)


def _frame(
    comment: str, atoms: list[tuple[int, str]], file: str, first_row: int
) -> AtomicStructure:
    """Build the molecule or crystal of one frame."""
    where = f"{file}, line {first_row + 1}"
    pairs = {key: value.strip("\"'{}[]") for key, value in _PAIR.findall(comment)}
    lowered = {key.lower(): value for key, value in pairs.items()}
    columns = _columns(lowered.get("properties"), where)
    parsed = [_atom(line, columns, f"{file}, line {row}") for row, line in atoms]
    symbols = [symbol for symbol, _ in parsed]
    positions = np.array([position for _, position in parsed])
    properties = {
        key: _scalar(value) for key, value in pairs.items() if key.lower() not in _RESERVED
    }
    charge = _integer(lowered, "charge", where)
    cell, pbc = _periodicity(lowered, where)
    if cell is not None and any(pbc):
        return Structure(
            Lattice(cell, pbc=pbc),
            symbols,
            positions,
            charge=charge,
            coords_are_cartesian=True,
            properties=properties,
        )
    multiplicity = _integer(lowered, "spin_multiplicity", where)
    if multiplicity is None:
        multiplicity = _integer(lowered, "multiplicity", where)
    return Molecule(
        symbols,
        positions,
        charge=charge or 0,
        spin_multiplicity=multiplicity,
        charge_spin_check=False,
        properties=properties,
    )


def _columns(specification: str | None, where: str) -> _Columns:
    """Find the symbol and position columns from ``Properties=species:S:1:pos:R:3:…``."""
    if specification is None:
        return _Columns()
    fields = specification.split(":")
    starts: dict[str, int] = {}
    column = 0
    try:
        for name, width in zip(fields[::3], fields[2::3], strict=True):
            starts[name.lower()] = column
            column += int(width)
        symbol = starts["species"] if "species" in starts else starts["z"]
        return _Columns(symbol, starts["pos"])
    except (ValueError, KeyError) as error:
        message = (
            f"{where}: Properties={specification!r} does not describe the columns; expected "
            "triples name:type:width with species (or Z) and pos among them"
        )
        raise StructureError(message) from error


def _atom(line: str, columns: _Columns, where: str) -> tuple[str, list[float]]:
    """Read symbol and position (Å) of one atom."""
    words = line.split()
    try:
        symbol = words[columns.symbol]
        words = words[columns.position : columns.position + 3]
        # Fortran writes exponents with D.
        position = [float(word.replace("D", "E").replace("d", "e")) for word in words]
    except (IndexError, ValueError) as error:
        position = []
        cause: Exception | None = error
    else:
        cause = None
    if len(position) != 3:
        message = f"{where}: {line.strip()!r} is not an atom; expected: element x y z (in Å)"
        raise StructureError(message) from cause
    return _element(symbol, where), position


def _element(symbol: str, where: str) -> str:
    """Normalise an element symbol or atomic number."""
    for candidate in (symbol, symbol.capitalize(), _SYMBOL_BY_NUMBER.get(symbol, "")):
        if candidate and Element.is_valid_symbol(candidate):
            return candidate
    message = (
        f"{where}: unknown element {symbol!r}; expected a chemical symbol such as C or an atomic "
        "number, without labels or charges"
    )
    raise StructureError(message)


def _periodicity(
    pairs: dict[str, str], where: str
) -> tuple[np.ndarray | None, tuple[bool, bool, bool]]:
    """Read the cell (3, 3) in Å and the periodic directions."""
    cell = None
    if "lattice" in pairs:
        try:
            cell = np.array(pairs["lattice"].split(), dtype=float).reshape(3, 3)
        except ValueError as error:
            message = f"{where}: Lattice={pairs['lattice']!r} does not hold nine numbers (Å)"
            raise StructureError(message) from error
    pbc = _flags(pairs["pbc"], where) if "pbc" in pairs else (cell is not None,) * 3
    if any(pbc) and cell is None:
        message = f'{where}: pbc={pairs["pbc"]!r} without a cell; add Lattice="ax ay az bx …"'
        raise StructureError(message)
    return cell, pbc


def _flags(text: str, where: str) -> tuple[bool, bool, bool]:
    """Read three logical values."""
    words = text.lower().replace(",", " ").split()
    if len(words) == 3 and all(word in _TRUE | _FALSE for word in words):
        return words[0] in _TRUE, words[1] in _TRUE, words[2] in _TRUE
    message = f'{where}: pbc={text!r} does not hold three logical values; expected e.g. pbc="T T F"'
    raise StructureError(message)


def _integer(pairs: dict[str, str], key: str, where: str) -> int | None:
    """Read an integer such as the charge; None if it is not given."""
    if key not in pairs:
        return None
    try:
        value = float(pairs[key])
        if value == round(value):
            return round(value)
    except (ValueError, OverflowError):
        pass
    message = f"{where}: {key}={pairs[key]!r} is not an integer; correct it or remove it"
    raise StructureError(message)


def _scalar(text: str) -> Scalar:
    """Convert a value to int or float where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
