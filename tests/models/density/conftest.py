"""Densities that push the kernels to their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.orbital import OrbitalDensity

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MakeHardDensity(Protocol):
    """Makes hard densities; see :func:`hard_density`."""

    def __call__(
        self,
        *,
        seed: int,
        cell: NDArray[np.float64] | None = None,
        pbc: tuple[bool, bool, bool] = (False, False, False),
    ) -> OrbitalDensity: ...


@pytest.fixture
def hard_density() -> MakeHardDensity:
    """Give a maker of densities with l = 0..6, exponents 0.05 to 1e5, one centre far away."""

    def make(
        *,
        seed: int,
        cell: NDArray[np.float64] | None = None,
        pbc: tuple[bool, bool, bool] = (False, False, False),
    ) -> OrbitalDensity:
        generator = np.random.default_rng(seed)
        ls = np.arange(7).repeat(2)
        exponents = 10 ** generator.uniform(np.log10(0.05), 5.0, size=14)
        exponents[:2] = 0.05, 1e5
        basis = BasisSet("hard", {1: ElementBasis(tuple(ls.tolist()), tuple(exponents.tolist()))})
        positions = generator.uniform(-1.0, 1.0, size=(3, 3)) + np.array([[0], [0], [7.0]])
        coefficients = generator.normal(size=3 * basis.for_species(1).n_functions)
        return OrbitalDensity.from_basis(
            basis, [1, 1, 1], positions, coefficients=coefficients, cell=cell, pbc=pbc
        )

    return make
