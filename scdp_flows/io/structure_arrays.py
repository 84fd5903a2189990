"""Convert structures to plain arrays and back, and identify them."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import DummySpecies, Element
from pymatgen.core.structure import Molecule, Structure

from scdp_flows.errors import StructureError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scdp_flows.io.xyz import AtomicStructure

__all__ = [
    "as_arrays",
    "atom_label",
    "multiplicity",
    "structure_from_arrays",
    "structure_hash",
    "total_charge",
]

_HASH_RESOLUTION = 1e-6


def total_charge(structure: AtomicStructure) -> int:
    """Return the charge of a structure in elementary charges.

    Raises
    ------
    StructureError
        If it is not a whole number.
    """
    with warnings.catch_warnings():
        # pymatgen warns of every crystal whose charge is not the sum of oxidation states.
        warnings.simplefilter("ignore")
        charge = float(structure.charge)
    if charge != np.rint(charge):
        raise StructureError(f"the charge {charge} of {structure.formula} is no whole number")
    return round(charge)


def multiplicity(structure: AtomicStructure, *, default: int) -> int:
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
    rest = [*pbc, total_charge(structure), multiplicity(structure, default=0)]
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
            f"site {atom_label(structure, atom)} is partially occupied; expected one element per "
            "site: make an ordered supercell"
        )
        raise StructureError(message)
    if isinstance(site.specie, DummySpecies):
        message = (
            f"atom {atom_label(structure, atom)} is not an element; expected chemical symbols "
            "only: remove or rename it"
        )
        raise StructureError(message)
    return int(site.specie.Z)


def atom_label(structure: AtomicStructure, atom: int) -> str:
    """Name an atom for messages, counting from 1 as molecule viewers do."""
    return f"{atom + 1} ({structure[atom].species_string})"
