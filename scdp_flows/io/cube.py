"""Read and write Gaussian cube files.

Lengths are in bohr (in Å where the numbers of voxels are negative), densities in e/bohr^3, and the
last index runs fastest. The format says nothing of periodicity, spin or electrons.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["CubeFormat", "infer_pbc", "read_cube", "write_cube"]

_logger = logging.getLogger(__name__)

_COUNT = r"[ \t]*[+-]?\d+"
_LENGTH = r"[ \t]+[+-]?\d*\.\d*(?:[EeDd][+-]?\d+)?"
_HEAD = re.compile(
    rf"[^\n]*\n[^\n]*\n{_COUNT}(?:{_LENGTH}){{3}}(?:[ \t]+\d+)?[ \t]*\r?\n"
    rf"(?:{_COUNT}(?:{_LENGTH}){{3}}[ \t]*\r?\n){{3}}"
)

# Largest mean density on the faces of a molecule's box, as a fraction of the mean in the box.
_FACE_FRACTION = 0.05


@dataclass(frozen=True)
class CubeFormat:
    """Make cube files known to ``read_density`` and ``write_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first lines whether a file is of this format."""
        return _HEAD.match(head) is not None

    def claims(self, name: str) -> bool:
        """Tell whether a file of this name is to be written in this format."""
        return name.lower().endswith((".cube", ".cub"))

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_cube(path)

    def write(self, density: ChargeDensity, path: str | os.PathLike[str]) -> None:
        """Write a file."""
        write_cube(density, path)


class _Header(NamedTuple):
    """What stands before the values; lengths in Å."""

    comment: str
    origin: NDArray[np.float64]
    cell: NDArray[np.float64]
    shape: tuple[int, int, int]
    numbers: list[int]
    positions: NDArray[np.float64]


def read_cube(
    path: str | os.PathLike[str], *, pbc: tuple[bool, bool, bool] | None = None
) -> ChargeDensity:
    """Read a density from a cube file, also compressed.

    Parameters
    ----------
    path
        The file.
    pbc
        The periodic directions. Default: what ``write_cube`` noted in the comment, or else the
        judgement of ``infer_pbc``.

    Returns
    -------
    ChargeDensity
        Centres without a nucleus (atomic number 0) are left out.

    Raises
    ------
    DensityFormatError
        If the file is missing, malformed or truncated, or holds orbitals or several quantities.
    """
    with open_lines(path) as lines:
        header = _read_header(lines)
        n1, n2, n3 = header.shape
        flat = read_numbers(lines, n1 * n2 * n3, field="values")
        rest = next((line for line in lines if line.strip()), None)
        if rest is not None:
            raise lines.error(
                f"{rest.strip()[:60]!r} follows the {n1 * n2 * n3} values of the header",
                field="values",
                fix="correct the numbers of voxels, or keep one quantity only",
            )
        values = flat.reshape(header.shape) / BOHR_TO_ANGSTROM**3
        if pbc is None:
            pbc = parse_pbc(header.comment)
        if pbc is None:
            pbc = infer_pbc(values)
            _logger.info("%s: periodic directions judged from the density: %s", path, pbc)
        is_atom = np.array(header.numbers) > 0
        return ChargeDensity(
            values,
            header.cell,
            header.origin,
            np.array(header.numbers)[is_atom],
            header.positions[is_atom],
            pbc=pbc,
        )


def infer_pbc(values: NDArray[np.floating]) -> tuple[bool, bool, bool]:
    """Judge which directions of a grid are periodic.

    A direction is taken for periodic if the density on its two faces is above 5 % of the mean in
    the box: the box of an isolated molecule, or the vacuum beside a slab, ends where there is
    nearly none.
    """
    mean = float(np.abs(values).mean())
    faces = (values[[0, -1]], values[:, [0, -1]], values[:, :, [0, -1]])
    first, second, third = (bool(np.abs(face).mean() > _FACE_FRACTION * mean) for face in faces)
    return first, second, third


def _read_header(lines: Lines) -> _Header:
    """Read comments, grid and atoms."""
    comment = f"{lines.require('comment')} {lines.require('comment')}"
    n_atoms, origin = _read_atom_count(lines)
    axes = [_read_row(lines, 3, "grid axis") for _ in range(3)]
    counts = [round(axis[0]) for axis in axes]
    if not all(counts) or any(count != axis[0] for count, axis in zip(counts, axes, strict=True)):
        raise lines.error(
            f"the numbers of voxels are {counts}", field="grid axis", fix="correct the header"
        )
    # Gaussian's convention: negative numbers of voxels announce Å.
    unit = 1.0 if counts[0] < 0 else BOHR_TO_ANGSTROM
    n1, n2, n3 = (abs(count) for count in counts)
    steps = np.array([axis[1:] for axis in axes]) * unit
    atoms = np.array([_read_row(lines, 4, "atom") for _ in range(n_atoms)])
    return _Header(
        comment,
        np.array(origin) * unit,
        steps * np.array([[n1], [n2], [n3]]),
        (n1, n2, n3),
        [round(number) for number in atoms[:, 0]],
        atoms[:, 2:] * unit,
    )


def _read_atom_count(lines: Lines) -> tuple[int, list[float]]:
    """Read number of atoms and origin; refuse orbitals and several quantities."""
    words = lines.require("number of atoms and origin").split()
    try:
        n_atoms, origin = int(words[0]), [float(word) for word in words[1:4]]
        n_values = int(words[4]) if len(words) > 4 else 1
    except (IndexError, ValueError):
        n_atoms, origin, n_values = 0, [], 1
    if n_atoms < 0 or n_values != 1:
        raise lines.error(
            "the file holds orbitals or several quantities per voxel",
            field="number of atoms and origin",
            fix="write the total density to a cube of its own",
        )
    if n_atoms == 0 or len(origin) != 3:
        raise lines.error(
            f"found {' '.join(words)[:60]!r}, expected a number of atoms and three coordinates",
            field="number of atoms and origin",
            fix="this is no cube file, or it is damaged: check the file",
        )
    return n_atoms, origin


def _read_row(lines: Lines, n_lengths: int, field: str) -> list[float]:
    """Read an integer and some lengths."""
    text = lines.require(field)
    try:
        row = [float(word) for word in text.split()]
    except ValueError:
        row = []
    if len(row) != n_lengths + 1 or not np.isfinite(row).all() or row[0] != round(row[0]):
        raise lines.error(
            f"found {text[:60]!r}, expected an integer and {n_lengths} numbers",
            field=field,
            fix="this is no cube file, or it is damaged: check the file",
        )
    return row


def write_cube(density: ChargeDensity, path: str | os.PathLike[str]) -> None:
    """Write a density as cube file; compressed if the name ends in ``.gz``, ``.bz2`` or ``.xz``.

    Values have six significant digits, as is customary. Magnetisation and PAW occupancies have no
    place in the format and are left out. The second comment line records the periodic directions
    for ``read_cube``.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind then.
    """
    if density.magnetization is not None:
        _logger.info("%s: a cube file holds the total density, not the magnetisation", path)
    n3 = density.shape[2]
    steps = density.cell / np.array(density.shape)[:, np.newaxis]
    rows = [
        "Electron density in e/bohr^3, written by scdp-flows",
        f"Lengths in bohr, {format_pbc(density.pbc)}",
        _row(len(density.numbers), density.origin),
        *(_row(count, step) for count, step in zip(density.shape, steps, strict=True)),
        *(
            _row(number, place, charge=float(number))
            for number, place in zip(density.numbers.tolist(), density.positions, strict=True)
        ),
    ]
    with replace_text(path) as stream:
        stream.write("\n".join(rows) + "\n")
        write_numbers(
            stream,
            density.values,
            number_format=" % .5E",
            per_line=6,
            row=n3,
            factor=BOHR_TO_ANGSTROM**3,
        )


def _row(integer: int, lengths: NDArray[np.float64], *, charge: float | None = None) -> str:
    """Format an integer, a nuclear charge if given, and three lengths in bohr."""
    middle = "" if charge is None else f" {charge:11.6f}"
    return f"{integer:5d}{middle}" + "".join(f" {x:14.9f}" for x in lengths / BOHR_TO_ANGSTROM)
