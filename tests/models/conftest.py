"""Densities that the tests of the model package share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.orbital import OrbitalDensity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class MakeDensity(Protocol):
    """Makes densities with random coefficients; see :func:`random_density`."""

    def __call__(
        self,
        positions: ArrayLike = ...,
        *,
        cell: ArrayLike | None = None,
        pbc: tuple[bool, bool, bool] = (False, False, False),
        exponents: tuple[float, ...] = (0.15, 0.4, 1.1, 3.0),
        seed: int = 0,
    ) -> OrbitalDensity: ...


@pytest.fixture
def random_density() -> MakeDensity:
    """Give a maker of well-conditioned densities: each centre has l = 0..3 of every exponent."""

    def make(
        positions: ArrayLike = ((0.1, 0.2, -0.3), (1.2, 0.1, 0.4), (-0.2, 1.4, 0.9)),
        *,
        cell: ArrayLike | None = None,
        pbc: tuple[bool, bool, bool] = (False, False, False),
        exponents: tuple[float, ...] = (0.15, 0.4, 1.1, 3.0),
        seed: int = 0,
    ) -> OrbitalDensity:
        # Exponents differ a little between degrees, and agree between l = 0 and l = 2.
        shells = [(l, a * (1 + 0.1 * (l % 2))) for l in range(4) for a in exponents]
        element = ElementBasis(tuple(l for l, _ in shells), tuple(a for _, a in shells))
        places = np.asarray(positions, dtype=float).reshape(-1, 3)
        numbers = 1 + np.arange(len(places)) % 3
        basis = BasisSet("test", dict.fromkeys(range(1, 4), element))
        n_functions = len(places) * element.n_functions
        coefficients = np.random.default_rng(seed).normal(scale=0.3, size=n_functions)
        return OrbitalDensity.from_basis(
            basis, numbers, places, coefficients=coefficients, cell=cell, pbc=pbc
        )

    return make
