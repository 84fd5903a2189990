"""The compiled loops add what the reference adds, wherever the tiles of the grid end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density.grids import grid_points
from scdp_models.density.reference import pairwise_density
from scdp_models.density.separable import separable_density

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

ORIGIN = np.array([-2.0, -2.5, -2.25])


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True), (True, False, True)])
@pytest.mark.parametrize("shape", [(5, 6, 8), (7, 13, 17), (4, 5, 7), (1, 1, 1)])
def test_tiles_may_end_anywhere(
    random_density: MakeDensity, shape: tuple[int, int, int], pbc: tuple[bool, bool, bool]
) -> None:
    cell = np.diag([4.0, 5.0, 4.5])
    density = random_density(cell=cell, pbc=pbc, exponents=(0.5, 3.0, 40.0))
    found = separable_density(density, ORIGIN, cell, shape, tolerance=1e-8)
    expected = pairwise_density(density, grid_points(ORIGIN, cell, shape)).reshape(shape)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("periodic", [False, True])
def test_cut_off_is_that_of_the_reference(random_density: MakeDensity, *, periodic: bool) -> None:
    cell, shape = np.diag([4.0, 5.0, 4.5]), (14, 15, 19)
    density = random_density(cell=cell, pbc=(periodic,) * 3, exponents=(0.1, 0.3, 2.0))
    found = separable_density(density, ORIGIN, cell, shape, tolerance=1e-8, cutoff=2.3)
    points = grid_points(ORIGIN, cell, shape)
    expected = pairwise_density(density, points, cutoff=2.3).reshape(shape)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_cut_off_needs_compiled_loops(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    with pytest.raises(ValueError, match="needs numba"):
        separable_density(random_density(), ORIGIN, np.eye(3), (2, 2, 2), cutoff=5.0)
