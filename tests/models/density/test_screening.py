"""Bounds on shells and the distances at which they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.reference import pairwise_density
from scdp_models.density.screening import shell_amplitudes, tail_radii
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeDensity = Callable[..., OrbitalDensity]


def _bounds(density: OrbitalDensity, radii: np.ndarray) -> np.ndarray:
    d = radii / BOHR_TO_ANGSTROM
    decay = np.exp(-density.shell_exponents * d**2)
    return np.asarray(shell_amplitudes(density) * d**density.shell_ls * decay)


def _shell(density: OrbitalDensity, n: int) -> OrbitalDensity:
    first = density.shell_offsets[n]
    part = slice(first, first + 2 * density.shell_ls[n] + 1)
    ones = slice(n, n + 1)
    return OrbitalDensity(
        density.numbers,
        density.positions,
        density.shell_centres[ones],
        density.shell_ls[ones],
        density.shell_exponents[ones],
        density.coefficients[part],
    )


@pytest.mark.parametrize("threshold", [1e-3, 1e-6, 1e-12])
def test_bound_falls_to_the_threshold_at_the_radius(
    random_density: MakeDensity, threshold: float
) -> None:
    density = random_density()
    radii = tail_radii(density, threshold)
    assert (radii > 0).all()
    bounds = _bounds(density, radii)
    assert (bounds <= threshold * (1 + 1e-9)).all()
    # Not needlessly far either.
    assert (_bounds(density, 0.99 * radii) > threshold).all()


@pytest.mark.parametrize("n", [0, 5, 9, 15])
def test_shells_stay_below_the_threshold_outside(
    random_density: MakeDensity, rng: np.random.Generator, n: int
) -> None:
    shell = _shell(random_density([[0, 0, 0]]), n)
    radius = tail_radii(shell, 1e-5)[0]
    directions = rng.normal(size=(300, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    values = np.abs(pairwise_density(shell, radius * directions))
    assert 1e-6 < values.max() <= 1e-5 * (1 + 1e-9)


def test_small_coefficients_end_early(random_density: MakeDensity) -> None:
    density = random_density()
    assert (tail_radii(density.scaled(1e-3), 1e-6) < tail_radii(density, 1e-6)).all()


def test_shell_below_the_threshold_everywhere_has_no_radius(random_density: MakeDensity) -> None:
    density = random_density()
    np.testing.assert_array_equal(tail_radii(density.scaled(1e-9), 1e-6), 0.0)
    np.testing.assert_array_equal(tail_radii(density.scaled(0.0), 1e-300), 0.0)


def test_thresholds_may_differ_per_shell(random_density: MakeDensity) -> None:
    density = random_density()
    thresholds = np.where(np.arange(len(density.shell_ls)) < 5, 1e-4, 1e-8)
    radii = tail_radii(density, thresholds)
    np.testing.assert_allclose(radii[:5], tail_radii(density, 1e-4)[:5])
    np.testing.assert_allclose(radii[5:], tail_radii(density, 1e-8)[5:])


def test_density_without_shells() -> None:
    empty = OrbitalDensity([], np.zeros((0, 3)), [], [], [], [])  # type: ignore[arg-type]
    assert tail_radii(empty, 1e-6).shape == (0,)
