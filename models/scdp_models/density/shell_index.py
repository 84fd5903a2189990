"""Which shells of a structure can be seen how far, for evaluations that are differentiated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.images import periodic_vectors
from scdp_models.density.screening import tail_radii

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["ShellIndex"]


@dataclass(frozen=True)
class ShellIndex:
    """Which shells stand where and how far each can be seen: all that needs no gradient.

    Attributes
    ----------
    shell_centres, shell_ls
        Shape ``(n_shells,)``, as in :class:`scdp_models.density.orbital.OrbitalDensity`.
    reach
        Shape ``(n_shells,)``, Å.
    lattice
        Shape ``(n_periodic, 3)``, Å: periodic lattice vectors.
    """

    shell_centres: NDArray[np.int64]
    shell_ls: NDArray[np.int64]
    reach: NDArray[np.float64]
    lattice: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        template: OrbitalDensity,
        *,
        tolerance: float = 1e-6,
        cutoff: float | None = None,
        smallest_factor: float = 1.0,
    ) -> ShellIndex:
        """Find the reach of the shells of a structure.

        Parameters
        ----------
        template
            Coefficients above one make shells reach further; smaller ones do not count, so that
            gradients are right for shells that are not in use yet.
        tolerance
            e/Å^3: a shell is left out where it is below this.
        cutoff
            Å: from this distance on no shell is seen; None for no cut-off.
        smallest_factor
            By how much exponents may shrink before the next index is made.
        """
        widest = type(template)(
            template.numbers,
            template.positions,
            template.shell_centres,
            template.shell_ls,
            template.shell_exponents * smallest_factor,
            np.maximum(np.abs(template.coefficients), 1.0),
        )
        reach = tail_radii(widest, tolerance)
        if cutoff is not None:
            reach = np.minimum(reach, cutoff)
        vectors = periodic_vectors(template)
        return cls(template.shell_centres, template.shell_ls, reach, vectors)

    def by_centre(self) -> Iterator[tuple[NDArray[np.int64], float]]:
        """Yield the shells of each centre, and the largest distance (Å) any of them reaches."""
        seen = np.flatnonzero(self.reach > 0)
        for centre in np.unique(self.shell_centres[seen]):
            own = seen[self.shell_centres[seen] == centre]
            yield own, float(self.reach[own].max())
