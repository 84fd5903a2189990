"""How far shells can be seen in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_models.density.shell_index import ShellIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]


def test_small_coefficients_do_not_hide_shells(random_density: MakeDensity) -> None:
    density = random_density()
    nothing = ShellIndex.of(density.scaled(0.0))
    np.testing.assert_allclose(nothing.reach, ShellIndex.of(density.scaled(0.1)).reach)
    assert (ShellIndex.of(density.scaled(1e4)).reach > nothing.reach).all()


def test_reach_follows_tolerance_cut_off_and_scaling(random_density: MakeDensity) -> None:
    density = random_density()
    reach = ShellIndex.of(density).reach
    assert (ShellIndex.of(density, tolerance=1e-9).reach > reach).all()
    assert (ShellIndex.of(density, smallest_factor=0.5).reach > reach).all()
    assert ShellIndex.of(density, cutoff=2.0).reach.max() == 2.0


def test_centres_come_with_their_widest_shell(random_density: MakeDensity) -> None:
    index = ShellIndex.of(random_density())
    own, radii = zip(*index.by_centre(), strict=True)
    np.testing.assert_array_equal(np.concatenate(own), np.arange(len(index.reach)))
    assert max(radii) == index.reach.max()
