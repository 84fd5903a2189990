"""Find the files that stand beside a density and hold what it lacks: atoms and cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.errors import DensityFormatError, StructureError
from scdp_flows.io.structures import as_arrays, read_structures

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Companion", "is_companion", "read_companion"]

_ENDINGS = (".xyz", ".extxyz", ".cif", ".vasp", ".poscar", "_POSCAR")
_NAMES = ("POSCAR", "CONTCAR")


class Companion(NamedTuple):
    """The atoms of a density."""

    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Cartesian positions (n_atoms, 3), Å."""
    cell: NDArray[np.float64] | None
    """Cell vectors as rows (3, 3), Å; None for a molecule."""
    pbc: tuple[bool, bool, bool]
    """The periodic directions."""


def is_companion(name: str) -> bool:
    """Tell by its name whether a file holds a structure that could belong to a density.

    Examples
    --------
    >>> [is_companion(name) for name in ("000001.xyz", "POSCAR.gz", "CHGCAR")]
    [True, True, False]
    """
    plain = name.removesuffix(".gz")
    return plain in _NAMES or plain.endswith(_ENDINGS)


def read_companion(path: str | os.PathLike[str]) -> Companion:
    """Read the structure that belongs to a density file by its name, or by being the only one.

    Parameters
    ----------
    path
        ``000001.npy`` finds ``000001.xyz``, ``000001.cif``, ``000001_POSCAR`` and the like; where
        there is none of that name, the only structure file of the folder is taken.

    Raises
    ------
    DensityFormatError
        If there is no such file, there are several, or it is malformed.
    """
    file = Path(path)
    stem = file.name.split(".")[0]
    here = sorted(p for p in file.parent.iterdir() if p.is_file() and is_companion(p.name))
    named = [p for p in here if p.name.startswith((f"{stem}.", f"{stem}_POSCAR"))]
    candidates = named or here
    if len(candidates) != 1:
        found = f"{len(candidates)} structure files stand" if candidates else "no structure stands"
        raise DensityFormatError(
            f"holds no atoms, and {found} beside it",
            file=path,
            fix=f"put the structure beside it as {stem}.xyz (extended), {stem}.cif or "
            f"{stem}_POSCAR; pickled atoms are not read",
        )
    try:
        (structure,) = read_structures(candidates[0], index=0)
        return Companion(*as_arrays(structure))
    except StructureError as error:
        raise DensityFormatError(str(error), file=path, field="structure") from error
