"""Read molecules and crystals, check that they can be computed, and identify them.

The public structure types are pymatgen's ``Molecule`` and ``Structure``, which atomate2 users have.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError
from scdp_flows.io.box import MoleculeBox, molecule_box
from scdp_flows.io.compression import COMPRESSED_SUFFIXES, DECODE_ERRORS, open_text
from scdp_flows.io.structure_arrays import (
    as_arrays,
    atom_label,
    multiplicity,
    structure_from_arrays,
    structure_hash,
    total_charge,
)
from scdp_flows.io.xyz import AtomicStructure, parse_xyz

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = [
    "MINIMUM_DISTANCE",
    "AtomicStructure",
    "MoleculeBox",
    "as_arrays",
    "check_closed_shell",
    "check_structure",
    "molecule_box",
    "read_structures",
    "structure_from_arrays",
    "structure_hash",
    "total_charge",
]

MINIMUM_DISTANCE = 0.5
"""Atoms closer than this (Å) are taken for a mistake; H2 has 0.74 Å."""

_SMALLEST_CELL = 1e-3

# pymatgen's parsers signal malformed input by whatever the failing statement raises.
_PARSER_ERRORS = (ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError)


def read_structures(
    path: str | os.PathLike[str], *, index: int | slice | None = None
) -> list[AtomicStructure]:
    """Read the molecules or crystals of a file.

    Parameters
    ----------
    path
        An xyz or extended xyz file, or any structure file that pymatgen reads (CIF, POSCAR,
        CONTCAR, …); also compressed by gzip, bzip2 or xz.
    index
        Which frame or frames to keep; default: all.

    Returns
    -------
    list
        ``Molecule`` where nothing is periodic, ``Structure`` otherwise.

    Raises
    ------
    StructureError
        If the file is missing, malformed or empty, or holds no such frame.
    """
    file = Path(path)
    if not file.is_file():
        message = f"{file}: no such file; give the path of a structure file"
        raise StructureError(message)
    stem = file.stem if file.suffix in COMPRESSED_SUFFIXES else file.name
    if stem.lower().endswith((".xyz", ".extxyz")):
        frames = _read_xyz(file)
    else:
        frames = [_read_with_pymatgen(file)]
    if not frames:
        message = f"{file}: holds no structure; expected at least one frame"
        raise StructureError(message)
    return frames if index is None else _select(frames, index, file)


def _read_xyz(file: Path) -> list[AtomicStructure]:
    """Read all frames of an xyz file."""
    try:
        with open_text(file) as stream:
            return list(parse_xyz(stream, str(file)))
    except DECODE_ERRORS as error:
        message = f"{file}: cannot be read ({error}); the file may be damaged or not permitted"
        raise StructureError(message) from error


def _read_with_pymatgen(file: Path) -> AtomicStructure:
    """Read one crystal, or else one molecule, by the file's name."""
    reasons = []
    for kind in (Structure, Molecule):
        try:
            with warnings.catch_warnings():
                # pymatgen comments on its parsing (fractional rounding, missing POTCAR names);
                # what matters to us is checked in check_structure.
                warnings.simplefilter("ignore")
                return cast("AtomicStructure", kind.from_file(file))
        except (*_PARSER_ERRORS, *DECODE_ERRORS) as error:
            reasons.append(f"as {kind.__name__.lower()}: {error}")
    message = (
        f"{file}: no structure could be read ({'; '.join(reasons)}); "
        "use xyz, extended xyz, CIF or POSCAR"
    )
    raise StructureError(message)


def _select(frames: list[AtomicStructure], index: int | slice, file: Path) -> list[AtomicStructure]:
    """Pick frames by number or slice."""
    # The stop of the last frame's slice is None, not 0.
    which = index if isinstance(index, slice) else slice(index, index + 1 or None)
    chosen = frames[which]
    if not chosen:
        message = f"{file}: holds {len(frames)} structures, none at {index}; choose another index"
        raise StructureError(message)
    return chosen


def check_structure(structure: AtomicStructure) -> None:
    """Refuse structures that no electronic-structure code can treat.

    Raises
    ------
    StructureError
        For no atoms, unknown or partially occupied sites, positions or cells that are not finite,
        flat cells, and atoms closer than ``MINIMUM_DISTANCE`` (periodic images included).
    """
    _, positions, cell, _ = as_arrays(structure)
    if not np.isfinite(positions).all():
        atom = int(np.argmin(np.isfinite(positions).all(axis=1)))
        message = (
            f"atom {atom_label(structure, atom)} sits at {positions[atom].tolist()}; expected "
            "finite coordinates in Å"
        )
        raise StructureError(message)
    if cell is not None and not abs(np.linalg.det(cell)) > _SMALLEST_CELL:
        message = f"the cell {cell.tolist()} has no volume; expected three independent vectors in Å"
        raise StructureError(message)
    closest = _closest_pair(structure, positions)
    if closest is not None:
        first, second, distance = closest
        names = f"{atom_label(structure, first)} and {atom_label(structure, second)}"
        message = (
            f"atoms {names} overlap: they are {distance:.3f} Å apart, at least "
            f"{MINIMUM_DISTANCE} Å are expected; check the coordinates and their unit (Å)"
        )
        raise StructureError(message)


def _closest_pair(
    structure: AtomicStructure, positions: NDArray[np.float64]
) -> tuple[int, int, float] | None:
    """Find the closest two atoms below the minimum distance."""
    if isinstance(structure, Structure):
        first, second, _, distances = structure.get_neighbor_list(MINIMUM_DISTANCE)
    else:
        from scipy.spatial import KDTree  # slow to import, rarely needed

        pairs = KDTree(positions).query_pairs(MINIMUM_DISTANCE, output_type="ndarray")
        first, second = pairs.T
        distances = np.linalg.norm(positions[first] - positions[second], axis=1)
    if len(distances) == 0:
        return None
    worst = int(np.argmin(distances))
    return int(first[worst]), int(second[worst]), float(distances[worst])


def check_closed_shell(
    structure: AtomicStructure,
    charge: int | None = None,
    spin_multiplicity: int | None = None,
) -> None:
    """Refuse structures that a spin-restricted calculation cannot treat.

    Parameters
    ----------
    structure
        The molecule or crystal.
    charge, spin_multiplicity
        Override those of the structure.

    Raises
    ------
    StructureError
        If the number of electrons is odd or the multiplicity is not one.
    """
    numbers, _, _, _ = as_arrays(structure)
    charge = total_charge(structure) if charge is None else charge
    n_electrons = int(numbers.sum()) - charge
    if spin_multiplicity is None:
        spin_multiplicity = multiplicity(structure, default=1)
    if n_electrons % 2:
        message = (
            f"{structure.formula} with charge {charge} has {n_electrons} electrons; a "
            "spin-restricted calculation needs an even number: set the charge, or use an "
            "unrestricted kind with its spin multiplicity"
        )
        raise StructureError(message)
    if spin_multiplicity != 1:
        message = (
            f"{structure.formula} has spin multiplicity {spin_multiplicity}; a spin-restricted "
            "calculation needs 1: correct it or use an unrestricted kind"
        )
        raise StructureError(message)
