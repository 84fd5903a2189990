"""Read and write Gaussian cube files.

Lengths are in bohr (in Å where the numbers of voxels are negative), densities in e/bohr^3, and the
last index runs fastest. The format says nothing of periodicity, spin or electrons.
"""

from __future__ import annotations

import logging
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.compression import replace_binary
from scdp_flows.io.grid_text import Lines, format_pbc, open_lines, parse_pbc, read_numbers
from scdp_flows.io.number_block import NumberBlock
from scdp_flows.io.number_layout import CUBE, NumberWriter
from scdp_flows.io.slabs import DensitySlabs, slabs_of
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["CubeFormat", "infer_pbc", "open_cube_slabs", "read_cube", "write_cube"]

_logger = logging.getLogger(__name__)

_COUNT = r"[ \t]*[+-]?\d+"
_LENGTH = r"[ \t]+[+-]?\d*\.\d*(?:[EeDd][+-]?\d+)?"
_HEAD = re.compile(
    rf"[^\n]*\n[^\n]*\n{_COUNT}(?:{_LENGTH}){{3}}(?:[ \t]+\d+)?[ \t]*\r?\n"
    rf"(?:{_COUNT}(?:{_LENGTH}){{3}}[ \t]*\r?\n){{3}}"
)

# Largest mean density on the faces of a molecule's box, as a fraction of the mean in the box.
_FACE_FRACTION = 0.05

_AXIS = 0
_VOXELS = 2**20
_MOST_ATOMS = 999_999
_LARGEST = 1e9  # of any number; what is beyond would overflow in products
_SHORTEST_STEP, _LONGEST_STEP = 1e-4, 10.0  # Å


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
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    """Of the centres that have a nucleus."""


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
        flat = read_numbers(lines, math.prod(header.shape), field="values")
        _check_end(lines, header)
        flat /= BOHR_TO_ANGSTROM**3
        values = flat.reshape(header.shape)
        if pbc is None:
            pbc = parse_pbc(header.comment)
        if pbc is None:
            pbc = infer_pbc(values)
            _logger.info("%s: periodic directions judged from the density: %s", path, pbc)
        return ChargeDensity(
            values, header.cell, header.origin, header.numbers, header.positions, pbc=pbc
        )


@contextmanager
def open_cube_slabs(
    path: str | os.PathLike[str], *, pbc: tuple[bool, bool, bool], voxels: int = _VOXELS
) -> Iterator[DensitySlabs]:
    """Open a cube file to read it slab by slab along the first axis.

    Parameters
    ----------
    path
        The file, also compressed.
    pbc
        The periodic directions, which cannot be judged without the whole grid; what
        ``write_cube`` noted in the comment goes first.
    voxels
        About how many voxels a slab is to have; at least one layer.

    Raises
    ------
    DensityFormatError
        As :func:`read_cube`; partly raised while the slabs are taken.
    """
    with open_lines(path) as lines:
        header = _read_header(lines)
        yield DensitySlabs(
            (_read_slabs(lines, header, voxels),),
            header.shape,
            _AXIS,
            header.cell,
            header.origin,
            header.numbers,
            header.positions,
            parse_pbc(header.comment) or pbc,
        )


def _read_slabs(lines: Lines, header: _Header, voxels: int) -> Iterator[NDArray[np.float64]]:
    """Read the grid in slabs (thickness, n2, n3), e/Å^3."""
    n1, n2, n3 = header.shape
    block = NumberBlock(lines, n1 * n2 * n3, field="values")
    thickness = max(voxels // (n2 * n3), 1)
    for start in range(0, n1, thickness):
        layers = min(thickness, n1 - start)
        slab = block.take(layers * n2 * n3)
        yield slab.reshape(layers, n2, n3) / BOHR_TO_ANGSTROM**3
    block.close()
    _check_end(lines, header)


def _check_end(lines: Lines, header: _Header) -> None:
    """Refuse what follows the values."""
    rest = lines.skip_blank("values")
    if rest is not None:
        raise lines.error(
            f"{rest.strip()[:60]!r} follows the {math.prod(header.shape)} values of the header",
            field="values",
            fix="correct the numbers of voxels, or keep one quantity only",
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
    # Not the root of a sum of squares, which damaged numbers make overflow.
    lengths = np.hypot(np.hypot(steps[:, 0], steps[:, 1]), steps[:, 2])
    if lengths.min() < _SHORTEST_STEP or lengths.max() > _LONGEST_STEP:
        raise lines.error(
            f"voxels have the edges {lengths.tolist()} Å",
            field="grid axis",
            fix="correct the header",
        )
    atoms = np.array([_read_row(lines, 4, "atom") for _ in range(n_atoms)])
    is_atom = atoms[:, 0] > 0
    return _Header(
        comment,
        np.array(origin) * unit,
        steps * np.array([[n1], [n2], [n3]]),
        (n1, n2, n3),
        atoms[is_atom, 0].astype(np.int64),
        atoms[is_atom, 2:] * unit,
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
    if not (
        0 < n_atoms <= _MOST_ATOMS and len(origin) == 3 and all(abs(x) < _LARGEST for x in origin)
    ):
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
    if (
        len(row) != n_lengths + 1
        or not all(abs(x) < _LARGEST for x in row)
        or row[0] != round(row[0])
    ):
        raise lines.error(
            f"found {text[:60]!r}, expected an integer and {n_lengths} numbers",
            field=field,
            fix="this is no cube file, or it is damaged: check the file",
        )
    return row


def write_cube(density: ChargeDensity | DensitySlabs, path: str | os.PathLike[str]) -> None:
    """Write a density as cube file in bohr; compressed if the name ends so.

    Values have six significant digits, as is customary. Magnetisation and PAW occupancies have no
    place in the format and are left out. The second comment line records the periodic directions
    for ``read_cube``.

    Parameters
    ----------
    density
        The density, or its slabs along the first axis, of which no more than one is in memory.
    path
        Where to; replaced as a whole or not at all.

    Raises
    ------
    DensityError
        If the slabs do not fit.
    OSError
        If the file cannot be written; nothing is left behind then.
    """
    slabs = density if isinstance(density, DensitySlabs) else slabs_of(density, _AXIS)
    slabs.require_axis(_AXIS, "a cube file")
    if len(slabs.grids) > 1:
        _logger.info("%s: a cube file holds the total density, not the magnetisation", path)
    steps = slabs.cell / np.array(slabs.shape)[:, np.newaxis]
    rows = [
        "Electron density in e/bohr^3, written by scdp-flows",
        f"Lengths in bohr, {format_pbc(slabs.pbc)}",
        _row(len(slabs.numbers), slabs.origin),
        *(_row(count, step) for count, step in zip(slabs.shape, steps, strict=True)),
        *(
            _row(number, place, charge=float(number))
            for number, place in zip(slabs.numbers.tolist(), slabs.positions, strict=True)
        ),
    ]
    with replace_binary(path) as stream:
        stream.write(("\n".join(rows) + "\n").encode())
        writer = NumberWriter(stream, CUBE, math.prod(slabs.shape), row=slabs.shape[2])
        for slab in slabs.checked(0):
            writer.write(slab, BOHR_TO_ANGSTROM**3)
        writer.close()


def _row(integer: int, lengths: NDArray[np.float64], *, charge: float | None = None) -> str:
    """Format an integer, a nuclear charge if given, and three lengths in bohr."""
    middle = "" if charge is None else f" {charge:11.6f}"
    return f"{integer:5d}{middle}" + "".join(f" {x:14.9f}" for x in lengths / BOHR_TO_ANGSTROM)
