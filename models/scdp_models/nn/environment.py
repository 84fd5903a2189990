"""Describe the surroundings of atoms by numbers that turn with the crystal.

The neighbours of an atom, weighed by functions of the distance, have multipole moments. These and
the products of two of them that are multipoles again (the terms of second and third body order in
the expansion of Drautz, *Phys. Rev. B* 99, 014104 (2019)) are linear features for whatever an atom
has of the same degree: scalars stay, vectors turn, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.graph import find_neighbours
from scdp_models.harmonics import gaunt, solid_harmonics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Reach", "equivariant_features", "neighbour_moments"]

_DEGREE = 4  # highest moment
_PRODUCT_DEGREE = 3  # highest moment in products


@dataclass(frozen=True)
class Reach:
    """Say how far and how finely neighbours are seen."""

    cutoff_ang: float = 4.5
    """Distance beyond which there are no neighbours, Å."""
    n_radial: int = 6
    """Functions of the distance: Gaussians with centres from `first_ang` to the cut-off."""
    first_ang: float = 1.0
    """Centre of the first, Å."""

    def functions(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate the functions at distances (n,) in Å, shape (n, n_radial)."""
        centres = np.linspace(self.first_ang, self.cutoff_ang, self.n_radial)
        width = (self.cutoff_ang - self.first_ang) / max(self.n_radial - 1, 1)
        end = 0.5 * (1 + np.cos(np.pi * distances / self.cutoff_ang))
        bells = np.exp(-0.5 * ((distances[:, None] - centres) / width) ** 2)
        return np.asarray(bells * end[:, None])


def neighbour_moments(
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    cell: NDArray[np.float64],
    elements: Sequence[int],
    reach: Reach,
) -> list[NDArray[np.float64]]:
    """Return the multipole moments of the neighbours of each atom of a crystal.

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    positions, cell
        Å, (n_atoms, 3) and (3, 3).
    elements
        The kinds of neighbours; others are not seen.
    reach
        How far and how finely.

    Returns
    -------
    list of numpy.ndarray
        For each degree l = 0..4 an array (n_atoms, n_elements * n_radial, 2 l + 1).
    """
    near = find_neighbours(positions, reach.cutoff_ang, cell=cell, pbc=(True, True, True))
    vectors = positions[near.source] + near.shift - positions[near.target]
    distances = np.linalg.norm(vectors, axis=1)
    weights = np.zeros((len(vectors), len(elements), reach.n_radial))
    for index, element in enumerate(elements):
        chosen = numbers[near.source] == element
        weights[chosen, index] = reach.functions(distances[chosen])
    flat = weights.reshape(len(vectors), -1)
    units = vectors / np.maximum(distances, 1e-9)[:, None]
    moments = []
    for degree in range(_DEGREE + 1):
        harmonics = solid_harmonics(units, degree)
        found = np.zeros((len(numbers), flat.shape[1], 2 * degree + 1))
        np.add.at(found, near.target, flat[:, :, None] * harmonics[:, None, :])
        moments.append(found)
    return moments


def equivariant_features(
    moments: Sequence[NDArray[np.float64]], degree: int
) -> NDArray[np.float64]:
    """Return the features of one degree, of natural parity (-1)^degree.

    Returns
    -------
    numpy.ndarray
        Shape (n_atoms, n_features, 2 degree + 1).
    """
    first = [moments[degree]] if degree < len(moments) else []
    return np.concatenate([*first, *_products(moments, degree)], axis=1)


def _products(moments: Sequence[NDArray[np.float64]], degree: int) -> Iterator[NDArray[np.float64]]:
    """Yield the multipoles that products of two moments hold."""
    for one in range(_PRODUCT_DEGREE + 1):
        for two in range(one, _PRODUCT_DEGREE + 1):
            is_multipole = two - one <= degree <= one + two and (one + two + degree) % 2 == 0
            # A moment times a scalar adds little to the moment itself.
            if not is_multipole or (degree > 0 and one == 0):
                continue
            coupling = gaunt(one, two, degree)
            found = np.einsum(
                "ima,inb,abc->imnc", moments[one], moments[two], coupling, optimize=True
            )
            n = found.shape[1]
            rows, columns = np.triu_indices(n) if one == two else np.indices((n, n)).reshape(2, -1)
            yield found[:, rows, columns]
