"""Moments of densities that chemists know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.io.structures import as_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.io.structures import AtomicStructure
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["dipole_moment"]


def dipole_moment(
    density: OrbitalDensity, structure: AtomicStructure, atoms: AtomicReference
) -> NDArray[np.float64] | None:
    """Return the electric dipole moment of a molecule, shape ``(3,)``, e·Å.

    It points from negative to positive. A crystal has none that its density alone would define;
    nor has a molecule whose core charges are unknown, as they are to imported models.

    Parameters
    ----------
    density
        The electrons.
    structure
        The nuclei.
    atoms
        The neutral atoms, whose electron counts are the charges of the cores.
    """
    numbers, positions, _, pbc = as_arrays(structure)
    if any(pbc) or not atoms.atoms:
        return None
    charges = np.array([atoms.atom(number).n_electrons for number in numbers.tolist()])
    return np.asarray(charges @ positions - density.dipole())
