"""Read densities that are kept as bare arrays, ``.npy``, with their structure in other files.

Two layouts are in use. Three- and four-dimensional arrays are in e/Å^3, the last axis of the latter
holding total density and magnetisation; atoms and cell stand in a structure file beside. Flat
arrays are in e/bohr^3 and C order, with ``grid_sizes*.dat`` (three counts), ``box.npy`` (3, 3) in Å
and one xyz file beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityFormatError
from scdp_flows.io.companions import read_companion
from scdp_flows.io.cube import infer_pbc
from scdp_flows.io.npy import NPY_SIGNATURE, as_doubles, load_npy
from scdp_flows.io.npy_md import DENSITIES
from scdp_flows.io.reading import COPY_ANEW, format_errors, read_bytes
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["NpyGridFormat", "read_npy_grid"]

_BOX = "box.npy"
_SIZES = "grid_sizes*.dat"
_LARGEST_SIZES = 1000


@dataclass(frozen=True)
class NpyGridFormat:
    """Make arrays known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith(NPY_SIGNATURE)

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Leave the series of molecular dynamics to their own reader."""
        return Path(path).name != DENSITIES

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_npy_grid(path)


def read_npy_grid(path: str | os.PathLike[str]) -> ChargeDensity:
    """Read an array and the files beside it that say what it is.

    Raises
    ------
    DensityFormatError
        If a file is missing or malformed, the numbers do not fit together, or the array holds
        pickled objects.
    """
    values = load_npy(path)
    with format_errors(path):
        if values.ndim == 1:
            return _flat(Path(path), values)
        if values.ndim == 3 or (values.ndim == 4 and values.shape[-1] in {1, 2}):
            return _shaped(path, values)
        raise DensityFormatError(
            f"has the shape {values.shape}",
            file=path,
            fix="expected (n1, n2, n3), (n1, n2, n3, 2) with the magnetisation, or a flat array",
        )


def _shaped(path: str | os.PathLike[str], values: NDArray[np.float64]) -> ChargeDensity:
    """Read an array in e/Å^3 whose cell stands with the structure."""
    atoms = read_companion(path)
    if atoms.cell is None:
        raise DensityFormatError(
            "the structure beside it has no cell",
            file=path,
            field="structure",
            fix='give the cell of the grid: Lattice="..." in extended xyz, or a CIF',
        )
    grids = [values] if values.ndim == 3 else [values[..., i] for i in range(values.shape[-1])]
    return ChargeDensity(
        as_doubles(grids[0]),
        atoms.cell,
        np.zeros(3),
        atoms.numbers,
        atoms.positions,
        pbc=atoms.pbc,
        magnetization=as_doubles(grids[1]) if len(grids) > 1 else None,
    )


def _flat(path: Path, values: NDArray[np.float64]) -> ChargeDensity:
    """Read an array in e/bohr^3 whose shape and box stand beside it."""
    sizes = sorted(path.parent.glob(_SIZES))
    if len(sizes) != 1:
        raise DensityFormatError(
            f"is flat, and {len(sizes)} files {_SIZES} stand beside it",
            file=path,
            fix="keep grid_sizes_*.dat, box.npy and the xyz file of the structure beside it",
        )
    words = read_bytes(sizes[0], limit=_LARGEST_SIZES).split()
    shape = tuple(int(word) for word in words if word.isdigit())
    if len(words) != 3 or len(shape) != 3 or int(np.prod(shape, dtype=object)) != values.size:
        raise DensityFormatError(
            f"{sizes[0].name} says {b' '.join(words).decode(errors='replace')} for {values.size} "
            "values",
            file=path,
            fix=COPY_ANEW,
        )
    cell = as_doubles(load_npy(path.with_name(_BOX)))
    grid = as_doubles(values).reshape(shape) / BOHR_TO_ANGSTROM**3
    atoms = read_companion(path)
    return ChargeDensity(
        grid, cell, np.zeros(3), atoms.numbers, atoms.positions, pbc=infer_pbc(grid)
    )
