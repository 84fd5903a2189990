"""What the published model says of a structure, and the density it means by that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scdp_models.density.reference import pairwise_density
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["LegacyPrediction", "as_array"]

_PUBLISHED_BOHR = 0.529177


def as_array(values: Any, dtype: Any) -> NDArray[Any]:
    """Return an array, or a tensor of any device, as a numpy array."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=dtype)


@dataclass(frozen=True)
class LegacyPrediction:
    """What the published model says of a structure.

    Attributes
    ----------
    coefficients
        Shape ``(n_nodes, n_columns)``, in the published layout and units: blocks by degree, inside
        a block shell after shell, m = -l..l. Columns that a species does not use hold numbers
        without meaning.
    exponent_factors
        Shape ``(n_nodes, n_shells)``: the first columns belong to the shells of the species; None
        for models without exponent scaling.
    orbitals
        The density as :meth:`orbital_density` returns it.
    density_cutoff
        Å.
    """

    coefficients: NDArray[np.floating[Any]]
    exponent_factors: NDArray[np.floating[Any]] | None
    orbitals: OrbitalDensity
    density_cutoff: float

    def density(self, points: ArrayLike | torch.Tensor) -> NDArray[np.float64]:
        """Return the published density: every function ends at the cut-off.

        Parameters
        ----------
        points
            Shape ``(n_points, 3)``, Å.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_points,)``, e/Å^3.
        """
        # Published lengths in bohr come from a rounded constant: the same as longer ones in Å.
        stretch = BOHR_TO_ANGSTROM / _PUBLISHED_BOHR
        cell = self.orbitals.cell
        stretched = replace(
            self.orbitals,
            positions=stretch * self.orbitals.positions,
            cell=None if cell is None else stretch * cell,
        )
        places = stretch * as_array(points, np.float64)
        return pairwise_density(stretched, places, cutoff=stretch * self.density_cutoff)

    def orbital_density(self) -> OrbitalDensity:
        """Return the total density as our orbital density, without cut-off."""
        return self.orbitals
