"""Read and write the structure header of VASP's volumetric files."""

from __future__ import annotations

import re
from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from pymatgen.core.periodic_table import Element

from scdp_flows.io.grid_text import open_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scdp_flows.io.grid_text import Lines

__all__ = ["PoscarHeader", "read_poscar_header", "species_of_potcar", "write_poscar_header"]


class PoscarHeader(NamedTuple):
    """What stands before the grid."""

    comment: str
    """The first line."""
    cell: NDArray[np.float64]
    """Cell vectors as rows (3, 3), Å."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Cartesian positions (n_atoms, 3), Å."""


def read_poscar_header(lines: Lines, species: Sequence[str] | None = None) -> PoscarHeader:
    """Read the structure in the POSCAR format of VASP 4, 5 and 6.

    Parameters
    ----------
    lines
        The file.
    species
        The elements, one for each count, for files of VASP 4, which hold none. Default: what the
        comment lists.

    Raises
    ------
    DensityFormatError
        If a line is not what is due there.
    """
    comment = lines.require("comment")
    scale = _floats(lines.require("scale factor"), (1, 3), lines, "scale factor")
    vectors = [_floats(lines.require("cell"), (3,), lines, "cell") for _ in range(3)]
    cell, factors = _scaled(np.array(vectors), np.array(scale), lines)
    numbers = _read_species(lines, comment.split() if species is None else list(species))
    mode = lines.require("coordinate mode")
    if mode[:1].lower() == "s":  # selective dynamics
        mode = lines.require("coordinate mode")
    if mode[:1].lower() not in {"d", "c", "k"}:
        raise lines.error(
            f"found {mode!r}, expected Direct or Cartesian", field="coordinate mode", fix=_NO_CHGCAR
        )
    rows = [_coordinates(lines) for _ in numbers]
    coordinates = np.array(rows)
    is_direct = mode[:1].lower() == "d"
    positions = coordinates @ cell if is_direct else coordinates * factors
    return PoscarHeader(comment, cell, np.array(numbers, dtype=np.int64), positions)


_MOST_ATOMS = 999_999
_LARGEST = 1e9  # of any number; what is beyond would overflow in products
_SYMBOL = re.compile(r"([A-Z][a-z]?)(?:[_/.\d].*)?")

_NO_CHGCAR = "this is no CHGCAR, or it is damaged: check the file"


def _floats(text: str, lengths: tuple[int, ...], lines: Lines, field: str) -> list[float]:
    """Read a line of numbers of one of some lengths."""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) not in lengths or not all(abs(value) < _LARGEST for value in values):
        wanted = " or ".join(map(str, lengths))
        raise lines.error(
            f"found {text[:60]!r}, expected {wanted} numbers", field=field, fix=_NO_CHGCAR
        )
    return values


def _scaled(
    vectors: NDArray[np.float64], scale: NDArray[np.float64], lines: Lines
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apply the scale: one factor, minus the volume in Å^3, or one factor per direction."""
    volume = abs(np.linalg.det(vectors))
    if volume == 0 or not scale.all():
        raise lines.error("the cell has no volume", field="cell", fix="correct the cell vectors")
    if len(scale) == 3 and not (scale > 0).all():
        raise lines.error(
            f"the factors are {scale.tolist()}", field="scale factor", fix="three must be positive"
        )
    if len(scale) == 1 and scale[0] < 0:
        scale = np.cbrt(-scale / volume)
    if not 1e-3 < abs(np.linalg.det(vectors * scale)) < 1e9:
        raise lines.error(
            "the volume of the cell is beyond reason", field="cell", fix="correct scale and cell"
        )
    factors = np.broadcast_to(scale, (3,))
    return vectors * factors, factors


def _read_species(lines: Lines, given: list[str]) -> list[int]:
    """Read the elements and their counts; return one atomic number per atom."""
    words = lines.require("species").split()
    if words and all(word.isdecimal() for word in words):
        symbols, counts = given, words
        advice = (
            "VASP 4 wrote no elements: give them as `species`, for example from species_of_potcar, "
            "or insert a line with them before the counts"
        )
    else:
        symbols, counts = words, lines.require("atom counts").split()
        advice = "correct the lines with the elements and their counts"
    species = [_atomic_number(symbol) for symbol in symbols]
    if (
        not counts
        or len(species) != len(counts)
        or not all(species)
        or not all(count.isdecimal() and int(count) for count in counts)
    ):
        raise lines.error(
            f"found {symbols} and {counts}, expected elements and as many counts",
            field="species",
            fix=advice,
        )
    if any(len(count) > 6 for count in counts) or sum(map(int, counts)) > _MOST_ATOMS:
        raise lines.error(f"found {counts} atoms", field="species", fix=_NO_CHGCAR)
    pairs = zip(species, counts, strict=True)
    return [number for number, count in pairs for _ in range(int(count))]


def _atomic_number(symbol: str) -> int:
    """Read ``Fe``, ``Fe/``, ``Mg_pv/f474ac0d`` or ``H1.25``; zero for what is no element."""
    found = _SYMBOL.fullmatch(symbol)
    name = found.group(1) if found else ""
    return int(Element(name).Z) if Element.is_valid_symbol(name) else 0


def species_of_potcar(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the elements of a POTCAR, or of its titles (``POTCAR.spec``), in their order.

    Raises
    ------
    DensityFormatError
        If the file is missing or names no elements.
    """
    with open_lines(path) as lines:
        titles = [line.split() for line in lines if "TITEL" in line or "=" not in line]
        names = [words[3] for words in titles if words[:2] == ["TITEL", "="] and len(words) > 3]
        found = names or [words[0] for words in titles if len(words) == 1]
        species = tuple(name for name in found if _atomic_number(name))
        if not species or len(species) != len(found):
            raise lines.error(
                f"names the elements {found}", field="TITEL", fix="check that this is a POTCAR"
            )
    return tuple(Element.from_Z(_atomic_number(name)).symbol for name in species)


def _coordinates(lines: Lines) -> list[float]:
    """Read the three coordinates of an atom; flags may follow them."""
    text = " ".join(lines.require("atom").split()[:3])
    return _floats(text, (3,), lines, "atom")


def write_poscar_header(stream: IO[bytes], header: PoscarHeader) -> None:
    """Write the structure as VASP does; atoms keep their order.

    An element may therefore be listed more than once. Positions are wrapped into the cell. VASP
    writes six decimals; where those do not suffice, there are more.
    """
    runs = [(number, len(list(run))) for number, run in groupby(header.numbers.tolist())]
    fractional = np.linalg.solve(header.cell.T, header.positions.T).T
    cell_format = "{:12.6f}" if _has_six_decimals(header.cell) else "{:22.14f}"
    places, digits = ("{:10.6f}", 6) if _has_six_decimals(fractional) else ("{:20.16f}", 16)
    fractional = np.mod(fractional.round(digits), 1.0)
    fractional[fractional == 1.0] = 0.0  # what mod makes of -1e-17
    rows = [
        header.comment,
        "   1.00000000000000     ",
        *(" " + "".join(cell_format.format(x) for x in vector) for vector in header.cell),
        "".join(f"   {Element.from_Z(number).symbol:2s}" for number, _ in runs),
        "".join(f"{count:6d}" for _, count in runs),
        "Direct",
        *("".join(places.format(x) for x in place) for place in fractional),
    ]
    stream.write(("\n".join(rows) + "\n").encode())


def _has_six_decimals(values: NDArray[np.floating]) -> bool:
    """Tell whether six decimals hold the values, save for rounding."""
    return bool(np.abs(values - values.round(6)).max() < 1e-12)
