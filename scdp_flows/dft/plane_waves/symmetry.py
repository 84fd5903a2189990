"""Give a density the symmetry of its crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from scdp_flows.dft.plane_waves.wave_list import places_of
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_flows.io.espresso_waves import EspressoWaves

__all__ = ["space_group", "symmetrised"]

# Distance in Å at which an atom counts as being at an image, about that of the program.
_TOLERANCE = 1e-5

# What a model gets wrong is smaller by far; opposite moments leave nothing but such errors.
_LEAST_KEPT = 0.1

_Operations = list[tuple["NDArray[np.int64]", "NDArray[np.float64]"]]


def space_group(crystal: Crystal) -> _Operations:
    """Return rotations (3, 3) and translations (3,) in fractional coordinates: x -> W x + w."""
    structure = Structure(
        Lattice(crystal.cell),
        crystal.symbols,
        crystal.positions,
        coords_are_cartesian=True,
    )
    operations = SpacegroupAnalyzer(structure, symprec=_TOLERANCE).get_symmetry_operations()
    return [
        (np.rint(operation.rotation_matrix).astype(np.int64), operation.translation_vector)
        for operation in operations
    ]


def symmetrised(
    waves: EspressoWaves, coefficients: NDArray[np.complex128], operations: _Operations
) -> NDArray[np.complex128]:
    """Average a density over the operations of a space group.

    rho(W x + w) has the coefficient rho_h exp(2 pi i h.w) at the Miller indices h W.

    Parameters
    ----------
    waves
        Miller indices, and whether they are one half; a sphere, so that images are among them.
    coefficients
        Shape ``(n_waves,)``.
    operations
        From :func:`space_group`.

    Raises
    ------
    CalculationError
        If little is left: the magnetisation of an antiferromagnet whose atoms the program does not
        tell apart, say, which it would average away too.
    """
    if len(operations) == 1:
        return coefficients
    total = np.zeros_like(coefficients)
    for rotation, translation in operations:
        images = waves.indices @ rotation
        turned = coefficients * np.exp(2j * np.pi * waves.indices @ translation)
        places = places_of(waves.indices, images)
        if waves.is_half:
            other = places < 0
            places[other] = places_of(waves.indices, -images[other])
            turned[other] = turned[other].conj()
        total[places] += turned
    averaged = np.asarray(total / len(operations))
    kept, given = np.linalg.norm(averaged), np.linalg.norm(coefficients)
    if kept < _LEAST_KEPT * given:
        raise CalculationError(
            f"the {len(operations)} operations of the space group leave {kept / given:.0%} of the "
            "given density or magnetisation; the input tells atoms apart by their element alone, "
            "so that opposite moments of one element cannot be started: the program's own guess is "
            "used"
        )
    return averaged
