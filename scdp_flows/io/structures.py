"""Read molecules and crystals, check that they can be computed, and identify them.

The public structure types are pymatgen's ``Molecule`` and ``Structure``, which atomate2 users have.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import DummySpecies, Element
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError
from scdp_flows.io.box import MoleculeBox, molecule_box
from scdp_flows.io.compression import COMPRESSED_SUFFIXES, DECODE_ERRORS, open_text
from scdp_flows.io.xyz import AtomicStructure, parse_xyz

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

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
]

MINIMUM_DISTANCE = 0.5
"""Atoms closer than this (Å) are taken for a mistake; H2 has 0.74 Å."""

_HASH_RESOLUTION = 1e-6
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
            f"atom {_label(structure, atom)} sits at {positions[atom].tolist()}; expected finite "
            "coordinates in Å"
        )
        raise StructureError(message)
    if cell is not None and not abs(np.linalg.det(cell)) > _SMALLEST_CELL:
        message = f"the cell {cell.tolist()} has no volume; expected three independent vectors in Å"
        raise StructureError(message)
    closest = _closest_pair(structure, positions)
    if closest is not None:
        first, second, distance = closest
        message = (
            f"atoms {_label(structure, first)} and {_label(structure, second)} overlap: they are "
            f"{distance:.3f} Å apart, at least {MINIMUM_DISTANCE} Å are expected; check the "
            "coordinates and their unit (Å)"
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


def _label(structure: AtomicStructure, atom: int) -> str:
    """Name an atom for messages, counting from 1 as molecule viewers do."""
    return f"{atom + 1} ({structure[atom].species_string})"


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
    charge = round(structure.charge) if charge is None else charge
    n_electrons = int(numbers.sum()) - charge
    if spin_multiplicity is None:
        spin_multiplicity = _multiplicity(structure, default=1)
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


def _multiplicity(structure: AtomicStructure, *, default: int) -> int:
    """Return the spin multiplicity of a molecule, the default for a crystal, which has none."""
    return round(structure.spin_multiplicity) if isinstance(structure, Molecule) else default


def structure_hash(structure: AtomicStructure) -> str:
    """Identify a structure: equal for equal atoms in equal order at equal places.

    Returns
    -------
    str
        SHA-256 in hexadecimal over atomic numbers, positions and cell (rounded to 1e-6 Å), periodic
        directions, charge and spin multiplicity. Translating or reordering the atoms changes it.
    """
    numbers, positions, cell, pbc = as_arrays(structure)
    digest = hashlib.sha256(b"scdp-structure-1")
    digest.update(numbers.astype("<i8").tobytes())
    for lengths in (positions, np.zeros((3, 3)) if cell is None else cell):
        # Integers, because -0.0 and 0.0 differ in their bytes.
        digest.update(np.rint(lengths / _HASH_RESOLUTION).astype("<i8").tobytes())
    rest = [*pbc, round(structure.charge), _multiplicity(structure, default=0)]
    digest.update(np.array(rest, dtype="<i8").tobytes())
    return digest.hexdigest()


def as_arrays(
    structure: AtomicStructure,
) -> tuple[
    NDArray[np.int64], NDArray[np.float64], NDArray[np.float64] | None, tuple[bool, bool, bool]
]:
    """Return a structure as plain arrays.

    Returns
    -------
    numbers : (n_atoms,)
        Atomic numbers.
    positions : (n_atoms, 3)
        Cartesian positions in Å.
    cell : (3, 3) or None
        Cell vectors as rows in Å; None for a molecule.
    pbc : three bools
        The periodic directions.

    Raises
    ------
    StructureError
        If there is no atom, or a site holds an unknown element or several elements.
    """
    if len(structure) == 0:
        message = "the structure has no atoms; expected at least one"
        raise StructureError(message)
    numbers = np.array([_number(structure, atom) for atom in range(len(structure))], dtype=np.int64)
    positions = np.array(structure.cart_coords, dtype=np.float64)
    if isinstance(structure, Molecule):
        return numbers, positions, None, (False, False, False)
    cell = np.array(structure.lattice.matrix, dtype=np.float64)
    pbc = tuple(bool(flag) for flag in structure.lattice.pbc)
    return numbers, positions, cell, (pbc[0], pbc[1], pbc[2])


def structure_from_arrays(
    numbers: ArrayLike,
    positions: ArrayLike,
    cell: ArrayLike | None = None,
    pbc: tuple[bool, bool, bool] = (False, False, False),
    *,
    charge: int = 0,
    spin_multiplicity: int | None = None,
) -> AtomicStructure:
    """Build a structure from plain arrays; the inverse of ``as_arrays``.

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    positions
        Cartesian positions (n_atoms, 3), Å.
    cell
        Cell vectors as rows (3, 3), Å; needed if a direction is periodic.
    pbc
        The periodic directions; without one the result is a ``Molecule``.
    charge, spin_multiplicity
        Of the whole; crystals have no multiplicity.

    Raises
    ------
    StructureError
        If a direction is periodic and there is no cell, or the lengths differ.
    """
    symbols = [Element.from_Z(int(number)).symbol for number in np.asarray(numbers)]
    places = np.asarray(positions, dtype=np.float64)
    if places.shape != (len(symbols), 3):
        raise StructureError(f"positions have the shape {places.shape} for {len(symbols)} atoms")
    if not any(pbc):
        return Molecule(
            symbols,
            places,
            charge=charge,
            spin_multiplicity=spin_multiplicity,
            charge_spin_check=False,
        )
    if cell is None:
        raise StructureError(f"pbc={pbc} without a cell; give its vectors in Å")
    lattice = Lattice(np.asarray(cell, dtype=np.float64), pbc=pbc)
    return Structure(lattice, symbols, places, charge=charge or None, coords_are_cartesian=True)


def _number(structure: AtomicStructure, atom: int) -> int:
    """Return the atomic number of a fully occupied site."""
    site = structure[atom]
    if not site.is_ordered:
        message = (
            f"site {_label(structure, atom)} is partially occupied; expected one element per site: "
            "make an ordered supercell"
        )
        raise StructureError(message)
    if isinstance(site.specie, DummySpecies):
        message = (
            f"atom {_label(structure, atom)} is not an element; expected chemical symbols only: "
            "remove or rename it"
        )
        raise StructureError(message)
    return int(site.specie.Z)
