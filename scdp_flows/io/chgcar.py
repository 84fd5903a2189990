"""Read and write VASP's CHGCAR and its relatives (CHG, AECCAR, PARCHG).

The file holds density times cell volume (electrons), the first index running fastest. Whatever
stands after a grid (the PAW augmentation occupancies, and for two spins the moments of the atoms)
is checked for completeness and otherwise kept as text, so that it is written back unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.compression import replace_text
from scdp_flows.io.grid_text import (
    Lines,
    format_pbc,
    open_lines,
    parse_pbc,
    read_numbers,
    write_numbers,
)
from scdp_flows.io.poscar import PoscarHeader, read_poscar_header, write_poscar_header

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["ChgcarFormat", "read_chgcar", "write_chgcar"]

_PERIODIC = (True, True, True)
_NUMBER = r"\s*[+-]?\d*\.?\d+(?:[EeDd][+-]?\d+)?"
_HEAD = re.compile(rf"[^\n]*\n(?:{_NUMBER}){{1,3}}\s*\n(?:(?:{_NUMBER}){{3}}\s*\n){{3}}")
_NAME = re.compile(r"chg|chgcar|aeccar|parchg", re.IGNORECASE)
_AUGMENTATION = "augmentation occupancies"


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
        """Write a file."""
        write_chgcar(density, path)


def read_chgcar(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read a VASP density of one or two spins, also compressed.

    Returns
    -------
    ChargeDensity
        With ``magnetization`` for two spins, and ``augmentation`` as the texts after the grids.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed, truncated or non-collinear.
    """
    with open_lines(path) as lines:
        header = read_poscar_header(lines)
        shape = _read_shape(lines)
        n_atoms = len(header.numbers)
        total = _read_grid(lines, shape, "density grid")
        texts = [_read_augmentation(lines, shape, n_atoms)]
        difference = None
        if texts[0].is_followed_by_grid:
            difference = _read_grid(lines, shape, "magnetisation grid")
            texts.append(_read_augmentation(lines, shape, n_atoms))
        if texts[-1].is_followed_by_grid:
            raise lines.error(
                "a third grid follows: the density is non-collinear",
                field="magnetisation",
                fix="only one or two spins are supported; remove what follows the first "
                "grid and its occupancies to use the total density",
            )
        volume = abs(np.linalg.det(header.cell))
        kept = tuple(text.content if text.content.strip() else "" for text in texts)
        return ChargeDensity(
            total / volume,
            header.cell,
            np.zeros(3),
            header.numbers,
            header.positions,
            pbc=parse_pbc(header.comment) or _PERIODIC,
            magnetization=None if difference is None else difference / volume,
            augmentation=kept if any(kept) else None,
        )


def _read_shape(lines: Lines) -> tuple[int, int, int]:
    """Read the blank line and the line of the grid's shape."""
    text = lines.require("grid shape")
    while not text:
        text = lines.require("grid shape")
    shape = _as_shape(text)
    if shape is None:
        raise lines.error(
            f"found {text[:60]!r}, expected three numbers of grid points",
            field="grid shape",
            fix="a structure without a grid, or another number of atoms than announced",
        )
    return shape


def _as_shape(text: str) -> tuple[int, int, int] | None:
    """Read three positive integers; None if the line is something else."""
    words = text.split()
    if len(words) != 3 or not all(word.isdecimal() for word in words):
        return None
    n1, n2, n3 = map(int, words)
    return (n1, n2, n3) if n1 * n2 * n3 else None


def _read_grid(lines: Lines, shape: tuple[int, int, int], field: str) -> NDArray[np.float64]:
    """Read one grid; the first index runs fastest."""
    numbers = read_numbers(lines, shape[0] * shape[1] * shape[2], field=field)
    return numbers.reshape(shape, order="F")


@dataclass(frozen=True)
class _Augmentation:
    """The text between two grids, or after the last."""

    content: str
    is_followed_by_grid: bool


def _read_augmentation(lines: Lines, shape: tuple[int, int, int], n_atoms: int) -> _Augmentation:
    """Take the lines up to the next grid as text, checking that they are complete."""
    kept: list[str] = []
    missing = 0  # numbers that the last header announced and that did not come yet
    unclaimed = 0
    for line in lines:
        if missing <= 0 and _as_shape(line) == shape:
            _require_complete(lines, missing)
            return _Augmentation("".join(kept), is_followed_by_grid=True)
        kept.append(line)
        words = line.split()
        if line.lstrip().startswith(_AUGMENTATION):
            _require_complete(lines, missing)
            missing = int(words[-1]) if words[-1].isdecimal() else 0
        elif missing > 0:
            missing -= len(words)
        else:
            unclaimed += len(words)
    _require_complete(lines, missing)
    if unclaimed:
        raise lines.error(
            f"{unclaimed} numbers after the last grid that belong to no occupancies (the moments "
            f"of {n_atoms} atoms precede a second grid, which does not come)",
            field=_AUGMENTATION,
            fix="the file is incomplete: copy it anew",
        )
    return _Augmentation("".join(kept), is_followed_by_grid=False)


def _require_complete(lines: Lines, missing: int) -> None:
    """Refuse occupancies that are fewer or more than announced."""
    if missing:
        raise lines.error(
            f"{abs(missing)} numbers {'too few' if missing > 0 else 'too many'}",
            field=_AUGMENTATION,
            fix="the file is incomplete or damaged: copy it anew",
        )


def write_chgcar(density: ChargeDensity, path: str | os.PathLike[str]) -> None:
    """Write a density as CHGCAR; compressed if the name ends in ``.gz``, ``.bz2`` or ``.xz``.

    The format knows neither origins nor molecules: positions are shifted so that the origin of
    the grid becomes zero, wrapped into the cell and written as fractions of it. The comment line
    records the periodic directions for ``read_chgcar``.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind then.
    """
    header = PoscarHeader(
        f"scdp-flows density {format_pbc(density.pbc)}",
        density.cell,
        density.numbers,
        density.positions - density.origin,
    )
    grids = [density.values]
    if density.magnetization is not None:
        grids.append(density.magnetization)
    texts = list(density.augmentation or ())
    with replace_text(path) as stream:
        write_poscar_header(stream, header)
        stream.write("\n")
        for channel, grid in enumerate(grids):
            _write_grid(stream, grid, density.volume)
            stream.write(texts[channel] if channel < len(texts) else "")


def _write_grid(stream: IO[str], grid: NDArray[np.floating], volume: float) -> None:
    """Write shape and values of one grid."""
    stream.write("".join(f" {n:4d}" for n in grid.shape) + "\n")
    # The transpose, because the first index runs fastest in the file.
    write_numbers(stream, grid.T, number_format=" % .11E", per_line=5, factor=volume)
