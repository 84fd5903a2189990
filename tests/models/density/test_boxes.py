"""Gaussians added to axes in boxes: values, screening, images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density import boxes
from scdp_models.density.boxes import add_gaussians
from scdp_models.density.cartesian import from_shells
from scdp_models.density.reference import pairwise_density

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.boxes import Axes, Periods
    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

NOT_PERIODIC: Periods = (None, None, None)


@pytest.fixture
def axes(rng: np.random.Generator) -> Axes:
    """Give axes of different length whose points are not evenly spaced."""
    x, y, z = (np.sort(rng.uniform(-3, 3, size=n)) for n in (9, 11, 7))
    return x, y, z


def _mesh(axes: Axes) -> NDArray[np.float64]:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _added(
    density: OrbitalDensity, axes: Axes, radius: float, periods: Periods = NOT_PERIODIC
) -> NDArray[np.float64]:
    shells = np.arange(len(density.shell_ls))
    out = np.zeros([len(x) for x in axes])
    add_gaussians(out, axes, from_shells(density, shells, np.full(len(shells), radius)), periods)
    return out.ravel()


@pytest.mark.parametrize("radius", [np.inf, 50.0])
def test_wide_boxes_hold_everything(random_density: MakeDensity, axes: Axes, radius: float) -> None:
    density = random_density()
    expected = pairwise_density(density, _mesh(axes))
    np.testing.assert_allclose(_added(density, axes, radius), expected, atol=1e-12)


def test_values_are_added(random_density: MakeDensity, axes: Axes) -> None:
    density = random_density()
    out = np.ones([len(x) for x in axes])
    shells = np.arange(len(density.shell_ls))
    add_gaussians(out, axes, from_shells(density, shells, np.full(len(shells), 9.0)), NOT_PERIODIC)
    np.testing.assert_allclose(out.ravel() - 1, _added(density, axes, 9.0), atol=1e-12)


def test_boxes_are_cubes_around_the_centre(random_density: MakeDensity, axes: Axes) -> None:
    density, radius = random_density([[0.2, -0.1, 0.3]]), 1.3
    inside = (np.abs(_mesh(axes) - density.positions[0]) < radius).all(axis=1)
    expected = np.where(inside, pairwise_density(density, _mesh(axes)), 0.0)
    np.testing.assert_allclose(_added(density, axes, radius), expected, atol=1e-12)


def test_nothing_to_add(random_density: MakeDensity, axes: Axes) -> None:
    np.testing.assert_array_equal(_added(random_density(), axes, 0.0), 0.0)
    np.testing.assert_array_equal(_added(random_density([[90, 0, 0]]), axes, 2.0), 0.0)


def test_small_chunks_change_nothing(
    random_density: MakeDensity, axes: Axes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _added(random_density(), axes, 4.0)
    monkeypatch.setattr(boxes, "CHUNK", 200)
    np.testing.assert_allclose(_added(random_density(), axes, 4.0), expected, atol=1e-12)


@pytest.mark.parametrize("radius", [np.inf, 12.0])
def test_images_are_the_same_in_boxes_and_in_tables(
    random_density: MakeDensity, axes: Axes, radius: float
) -> None:
    lattice = np.diag([4.0, 9.9, 5.0])
    density = random_density(cell=lattice, pbc=(True, False, True), exponents=(0.8, 2.0))
    expected = pairwise_density(density, _mesh(axes))
    found = _added(density, axes, radius, (4.0, None, 5.0))
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_nested_boxes_cover_every_gaussian_once() -> None:
    radii = np.array([9.0, 8.0, 5.0, 4.0, 1.0, 0.3, 0.1])
    groups = [radii[part].tolist() for part in boxes._nested(radii, 1.5)]
    assert groups == [[9.0, 8.0], [5.0, 4.0], [1.0, 0.3, 0.1]]
