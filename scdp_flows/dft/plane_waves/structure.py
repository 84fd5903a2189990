"""Look at a crystal as plane-wave codes do: lengths in bohr, valence electrons."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pymatgen.core import Element

from scdp_flows.errors import StructureError
from scdp_flows.io.structures import as_arrays, check_structure, total_charge
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings
    from scdp_flows.io.structures import AtomicStructure

__all__ = ["Crystal", "as_crystal"]


class Crystal(NamedTuple):
    """A structure that can be computed."""

    formula: str
    """For messages."""
    numbers: NDArray[np.int64]
    """Atomic numbers (n_atoms,)."""
    positions: NDArray[np.float64]
    """Cartesian (n_atoms, 3), Å."""
    cell: NDArray[np.float64]
    """Vectors as rows (3, 3), Å."""
    charge: int
    """Total charge, e."""
    n_electrons: float
    """Valence electrons."""

    @property
    def symbols(self) -> list[str]:
        """Element of each atom."""
        return [Element.from_Z(number).symbol for number in self.numbers.tolist()]

    @property
    def cell_bohr(self) -> NDArray[np.float64]:
        """Vectors as rows (3, 3), bohr."""
        return self.cell / BOHR_TO_ANGSTROM

    @property
    def volume_bohr(self) -> float:
        """Of the cell, bohr^3."""
        return float(abs(np.linalg.det(self.cell_bohr)))


def as_crystal(structure: AtomicStructure, settings: PlaneWaveSettings) -> Crystal:
    """Check a structure and count its valence electrons.

    Raises
    ------
    StructureError
        If it is no crystal, overlaps, or has an odd number of electrons with fixed occupations.
    SettingsError
        If an element has no pseudopotential.
    """
    check_structure(structure)
    numbers, positions, cell, pbc = as_arrays(structure)
    if cell is None or not all(pbc):
        raise StructureError(
            f"{structure.formula} is not periodic in three directions; {settings.program} computes "
            "crystals: put a molecule into a box, or use another code"
        )
    crystal = Crystal(structure.formula, numbers, positions, cell, total_charge(structure), 0.0)
    valence = {p.symbol: p.n_electrons for p in settings.all_pseudopotentials(crystal.symbols)}
    n_electrons = sum(valence[symbol] for symbol in crystal.symbols) - crystal.charge
    if settings.smearing == "none" and n_electrons % 2:
        raise StructureError(
            f"{structure.formula} has {n_electrons:g} valence electrons, an odd number; set a "
            "smearing, and spin='unrestricted' where it is magnetic"
        )
    return crystal._replace(n_electrons=n_electrons)
