"""Read and write VASP's CHGCAR and its relatives (CHG, AECCAR, PARCHG).

The file holds density times cell volume (electrons), the first index running fastest: one grid, two
(total and magnetisation) or four (total and three components of the magnetisation). After each grid
stand the PAW augmentation occupancies, and where another grid follows, the moments of the atoms.

A file that was cut exactly behind the last occupancies of its first grid, or behind a grid whose
occupancies are missing, is a valid file of one spin, or without occupancies: nothing inside tells.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.augmentation_text import read_after_grid, write_augmentation, write_moments
from scdp_flows.io.compression import replace_binary
from scdp_flows.io.grid_text import format_pbc, open_lines, parse_pbc, read_numbers
from scdp_flows.io.number_block import NumberBlock
from scdp_flows.io.number_layout import CHG, CHGCAR, NumberLayout, NumberWriter
from scdp_flows.io.poscar import PoscarHeader, read_poscar_header, write_poscar_header
from scdp_flows.io.slabs import DensitySlabs, slabs_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scdp_flows.density import Augmentation
    from scdp_flows.io.grid_text import Lines

__all__ = ["ChgcarFormat", "open_chgcar_slabs", "read_chgcar", "write_chgcar"]

_PERIODIC = (True, True, True)
# Nothing is given back once it is matched: numbers that stand together could be parted in countless
# ways, which takes forever where the head is no such head after all.
_NUMBER = r"[ \t]*+[+-]?(?>\d++\.?\d*+|\.\d++)(?:[EeDd][+-]?\d++)?+"
_END = r"[ \t\r]*+\n"
_HEAD = re.compile(rf"[^\n]*+\n(?:{_NUMBER}){{1,3}}{_END}(?:(?:{_NUMBER}){{3}}{_END}){{3}}")
_NAME = re.compile(r"chg|chgcar|aeccar|parchg", re.IGNORECASE)
_SHORT = re.compile(r"chg(?!car)", re.IGNORECASE)
_AXIS = 2
_VOXELS = 2**20
_Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ChgcarFormat:
    """Make CHGCAR known to ``read_density`` and ``write_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first lines whether a file is of this format."""
        return _HEAD.match(head) is not None

    def claims(self, name: str) -> bool:
        """Tell whether a file of this name is to be written in this format."""
        return _NAME.match(name) is not None or name.lower().endswith((".chgcar", ".vasp"))

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_chgcar(path)

    def write(self, density: ChargeDensity, path: str | os.PathLike[str]) -> None:
        """Write a file; with five digits only if its name begins with CHG and not with CHGCAR."""
        write_chgcar(density, path, style="CHG" if _SHORT.match(Path(path).name) else "CHGCAR")


def read_chgcar(
    path: str | os.PathLike[str], *, species: Sequence[str] | None = None
) -> ChargeDensity:
    """Read a VASP density of one or two spins or non-collinear, also compressed.

    Parameters
    ----------
    path
        The file.
    species
        The elements of a file of VASP 4, which holds none; see
        :func:`scdp_flows.io.poscar.species_of_potcar`. Default: what its comment lists.

    Returns
    -------
    ChargeDensity
        With ``magnetization`` for two spins or ``magnetization_vector`` for a non-collinear
        density, and ``augmentation`` for each grid, where the file has them.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed or truncated.
    """
    with open_lines(path) as lines:
        header = read_poscar_header(lines, species)
        shape = _read_shape(lines)
        volume = abs(float(np.linalg.det(header.cell)))
        grids: list[NDArray[np.float64]] = []
        kept: list[Augmentation | None] = []
        is_followed = True
        while is_followed and len(grids) < 4:
            flat = read_numbers(lines, math.prod(shape), field=_field(len(grids)))
            flat /= volume
            grids.append(flat.reshape(shape, order="F"))
            augmentation, is_followed = read_after_grid(lines, shape, len(header.numbers))
            kept.append(augmentation)
        _check_grids(lines, len(grids), kept, is_followed=is_followed)
        return ChargeDensity(
            grids[0],
            header.cell,
            np.zeros(3),
            header.numbers,
            header.positions,
            pbc=parse_pbc(header.comment) or _PERIODIC,
            magnetization=grids[1] if len(grids) == 2 else None,
            augmentation=tuple(each for each in kept if each is not None) or None,
            magnetization_vector=np.stack(grids[1:]) if len(grids) == 4 else None,
        )


def _field(grid: int) -> str:
    """Name a grid."""
    return "density grid" if grid == 0 else f"magnetisation grid {grid}"


def _check_grids(
    lines: Lines, n_grids: int, kept: list[Augmentation | None], *, is_followed: bool
) -> None:
    """Refuse numbers of grids that VASP does not write, and occupancies of some grids only."""
    if is_followed or n_grids == 3:
        raise lines.error(
            f"{'more than ' if is_followed else ''}{n_grids} grids, expected 1, 2 (two spins) or "
            "4 (non-collinear)",
            field="magnetisation",
            fix="the file is incomplete or damaged: copy it anew",
        )
    counts = [0 if each is None else len(each) for each in kept]
    if any(counts) and not all(counts):
        raise lines.error(
            f"augmentation occupancies of {counts} atoms after the grids",
            field="augmentation occupancies",
            fix="the file is incomplete or damaged: copy it anew",
        )


def _read_shape(lines: Lines) -> _Shape:
    """Read the blank line and the line of the grid's shape."""
    text = lines.skip_blank("grid shape")
    if text is None:
        raise lines.error(
            "the file ends before it", field="grid shape", fix="a structure without a density"
        )
    words = text.split()
    if len(words) != 3 or not all(_is_count(word) for word in words):
        raise lines.error(
            f"found {text.strip()[:60]!r}, expected three numbers of grid points",
            field="grid shape",
            fix="a structure without a grid, or another number of atoms than announced",
        )
    n1, n2, n3 = map(int, words)
    return n1, n2, n3


def _is_count(word: str) -> bool:
    """Tell whether a word is a possible number of grid points."""
    return word.isdecimal() and len(word) < 8 and int(word) > 0


@contextmanager
def open_chgcar_slabs(
    path: str | os.PathLike[str],
    *,
    grid: int = 0,
    voxels: int = _VOXELS,
    species: Sequence[str] | None = None,
) -> Iterator[DensitySlabs]:
    """Open a file to read one of its grids slab by slab along the last axis.

    Parameters
    ----------
    path
        The file, also compressed.
    grid
        Which grid: 0 for the density, from 1 on for the magnetisation. Those before are read,
        slab by slab, and forgotten.
    voxels
        About how many voxels a slab is to have; at least one layer.
    species
        As in :func:`read_chgcar`.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed, truncated or has no such grid; partly raised while the
        slabs are taken.
    """
    with open_lines(path) as lines:
        header = read_poscar_header(lines, species)
        shape = _read_shape(lines)
        for before in range(grid):
            for _ in _read_slabs(lines, shape, voxels, _field(before)):
                pass
            if not read_after_grid(lines, shape, len(header.numbers)).is_followed_by_grid:
                raise lines.error(
                    f"{before + 1} grids", field=_field(grid), fix="ask for a grid that is there"
                )
        volume = abs(float(np.linalg.det(header.cell)))
        slabs = (slab / volume for slab in _read_slabs(lines, shape, voxels, _field(grid)))
        yield DensitySlabs(
            (slabs,),
            shape,
            _AXIS,
            header.cell,
            np.zeros(3),
            header.numbers,
            header.positions,
            parse_pbc(header.comment) or _PERIODIC,
        )


def _read_slabs(
    lines: Lines, shape: _Shape, voxels: int, field: str
) -> Iterator[NDArray[np.float64]]:
    """Read one grid in slabs (n1, n2, thickness)."""
    n1, n2, n3 = shape
    block = NumberBlock(lines, n1 * n2 * n3, field=field)
    thickness = max(voxels // (n1 * n2), 1)
    for start in range(0, n3, thickness):
        layers = min(thickness, n3 - start)
        yield block.take(n1 * n2 * layers).reshape((n1, n2, layers), order="F")
    block.close()


def write_chgcar(
    density: ChargeDensity | DensitySlabs,
    path: str | os.PathLike[str],
    *,
    style: Literal["CHGCAR", "CHG"] = "CHGCAR",
) -> None:
    """Write a density as VASP does; compressed if the name ends so.

    The format knows neither origins nor molecules: positions are shifted so that the origin of
    the grid becomes zero, wrapped into the cell and written as fractions of it. The comment line
    records the periodic directions for ``read_chgcar``.

    Parameters
    ----------
    density
        The density, or its slabs along the last axis, of which no more than one is in memory.
    path
        Where to; replaced as a whole or not at all.
    style
        CHGCAR: eleven digits, with augmentation. CHG: five digits, without.

    Raises
    ------
    DensityError
        If the slabs do not fit.
    OSError
        If the file cannot be written; nothing is left behind then.
    """
    slabs = density if isinstance(density, DensitySlabs) else slabs_of(density, _AXIS)
    slabs.require_axis(_AXIS, "CHGCAR")
    header = PoscarHeader(
        f"scdp-flows density {format_pbc(slabs.pbc)}",
        slabs.cell,
        slabs.numbers,
        slabs.positions - slabs.origin,
    )
    kept = (slabs.augmentation or ()) if style == "CHGCAR" else ()
    with replace_binary(path) as stream:
        write_poscar_header(stream, header)
        stream.write(b" \n")
        for grid in range(len(slabs.grids)):
            _write_grid(stream, slabs, grid, CHG if style == "CHG" else CHGCAR)
            if grid < len(kept):
                write_augmentation(stream, kept[grid])
                if grid + 1 < len(slabs.grids):
                    write_moments(stream, kept[grid])


def _write_grid(stream: IO[bytes], slabs: DensitySlabs, grid: int, layout: NumberLayout) -> None:
    """Write shape and values of one grid."""
    stream.write(("".join(f"{n:5d}" if n < 9999 else f" {n}" for n in slabs.shape) + "\n").encode())
    writer = NumberWriter(stream, layout, math.prod(slabs.shape))
    volume = slabs.volume
    for slab in slabs.checked(grid):
        # The transpose, because the first index runs fastest in the file.
        writer.write(slab.T, volume)
    writer.close()
