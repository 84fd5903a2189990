"""Read and write the structure header of VASP's volumetric files."""

from __future__ import annotations

from itertools import groupby
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from pymatgen.core.periodic_table import Element

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.io.grid_text import Lines

__all__ = ["PoscarHeader", "read_poscar_header", "write_poscar_header"]


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


def read_poscar_header(lines: Lines) -> PoscarHeader:
    """Read the structure in the POSCAR format of VASP 4, 5 and 6.

    VASP 4 writes no elements; they are taken from the comment if it lists them.

    Raises
    ------
    DensityFormatError
        If a line is not what is due there.
    """
    comment = lines.require("comment")
    scale = _floats(lines.require("scale factor"), (1, 3), lines, "scale factor")
    vectors = [_floats(lines.require("cell"), (3,), lines, "cell") for _ in range(3)]
    cell, factors = _scaled(np.array(vectors), np.array(scale), lines)
    numbers = _read_species(lines, comment)
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


_NO_CHGCAR = "this is no CHGCAR, or it is damaged: check the file"


def _floats(text: str, lengths: tuple[int, ...], lines: Lines, field: str) -> list[float]:
    """Read a line of numbers of one of some lengths."""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) not in lengths or not np.isfinite(values).all():
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
    if len(scale) == 1 and scale[0] < 0:
        scale = np.cbrt(-scale / volume)
    factors = np.broadcast_to(scale, (3,))
    return vectors * factors, factors


def _read_species(lines: Lines, comment: str) -> list[int]:
    """Read the elements and their counts; return one atomic number per atom."""
    words = lines.require("species").split()
    if words and all(word.isdecimal() for word in words):
        symbols, counts = comment.split(), words
        advice = "insert a line with the elements before the counts (VASP 4 wrote none)"
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
    pairs = zip(species, counts, strict=True)
    return [number for number, count in pairs for _ in range(int(count))]


def _atomic_number(symbol: str) -> int:
    """Read ``Fe``, ``Fe/`` or ``Mg_pv/f474ac0d``; zero for what is no element."""
    name = symbol.partition("/")[0].partition("_")[0]
    return int(Element(name).Z) if Element.is_valid_symbol(name) else 0


def _coordinates(lines: Lines) -> list[float]:
    """Read the three coordinates of an atom; flags may follow them."""
    text = " ".join(lines.require("atom").split()[:3])
    return _floats(text, (3,), lines, "atom")


def write_poscar_header(stream: IO[str], header: PoscarHeader) -> None:
    """Write the structure; atoms keep their order, so an element may be listed more than once.

    Positions are wrapped into the cell.
    """
    runs = [(number, len(list(run))) for number, run in groupby(header.numbers.tolist())]
    fractional = np.mod(np.linalg.solve(header.cell.T, header.positions.T).T, 1.0)
    fractional[fractional == 1.0] = 0.0  # what mod makes of -1e-17
    rows = [
        header.comment,
        "   1.00000000000000",
        *("".join(f" {x:21.14f}" for x in vector) for vector in header.cell),
        "".join(f" {Element.from_Z(number).symbol:>5s}" for number, _ in runs),
        "".join(f" {count:5d}" for _, count in runs),
        "Direct",
        *("".join(f" {x:19.16f}" for x in place) for place in fractional),
    ]
    stream.write("\n".join(rows) + "\n")
