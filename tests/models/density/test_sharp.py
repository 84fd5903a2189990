"""Shells for the compiled loops: threads give the same sum, images are listed where they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.separable import separable_density
from scdp_models.density.sharp import prepare_shells

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]


def test_threads_do_not_change_the_result(random_density: MakeDensity) -> None:
    origin, cell, shape = np.full(3, -3.0), np.diag([6.0, 6.5, 7.0]), (50, 20, 21)
    one, three = (
        separable_density(random_density(), origin, cell, shape, threads=n) for n in (1, 3)
    )
    np.testing.assert_allclose(three, one, atol=1e-13)


def test_images_are_listed_only_where_the_grid_is_not_a_period(
    random_density: MakeDensity,
) -> None:
    density = random_density(exponents=(0.5,), cell=4.0 * np.eye(3), pbc=(True,) * 3)
    shells = np.arange(len(density.shell_ls))
    x, y, z = 0.5 * np.arange(8.0), 0.5 * np.arange(8.0), 0.25 * np.arange(8.0)
    prepared, grid = prepare_shells(
        density,
        shells,
        np.full(len(shells), 1.0),
        axes=(x, y, z),
        spacing=np.array([0.5, 0.5, 0.25]),
        periods=(4.0, 4.0, 4.0),
    )
    assert grid.wraps.tolist() == [True, True, False]
    assert np.all(prepared.positions[:, 2] > -1.0)
    assert np.all(prepared.positions[:, 2] < 1.75 + 1.0)
