"""Grids: what is refused, where the points are, and which grids separate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.density.grids import (
    align_with_axes,
    check_grid,
    grid_points,
    why_not_separable,
)
from scdp_models.density.reference import pairwise_density
from scdp_models.errors import DensityError
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

BOX = np.diag([3.0, 4.0, 5.0])
TRICLINIC = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])


@pytest.mark.parametrize(
    ("origin", "cell", "shape", "message"),
    [
        ([0, 0], BOX, (2, 2, 2), r"origin.*\(2,\)"),
        ([0, 0, np.nan], BOX, (2, 2, 2), "origin.*NaN"),
        ([0, 0, 0], np.eye(2), (2, 2, 2), r"cell.*\(2, 2\)"),
        ([0, 0, 0], np.full((3, 3), np.inf), (2, 2, 2), "cell.*NaN or infinity"),
        ([0, 0, 0], np.diag([1.0, 1.0, 0.0]), (2, 2, 2), "no volume"),
        ([0, 0, 0], np.ones((3, 3)), (2, 2, 2), "no volume"),
        ([0, 0, 0], BOX, (2, 2), "three positive whole"),
        ([0, 0, 0], BOX, (2, 0, 2), "three positive whole"),
        ([0, 0, 0], BOX, (2, 2.5, 2), "three positive whole"),
    ],
)
def test_malformed_grids_are_refused(origin: Any, cell: Any, shape: Any, message: str) -> None:
    with pytest.raises(DensityError, match=message):
        check_grid(origin, cell, shape)


def test_points_run_fastest_along_the_last_axis() -> None:
    points = grid_points([1, 1, 1], TRICLINIC, (2, 3, 4))
    assert points.shape == (24, 3)
    np.testing.assert_allclose(points[1] - points[0], TRICLINIC[2] / 4)
    np.testing.assert_allclose(points[12] - points[0], TRICLINIC[0] / 2)


def test_planes_are_a_part_of_the_points() -> None:
    points = grid_points([1, 1, 1], TRICLINIC, (4, 3, 2))
    part = grid_points([1, 1, 1], TRICLINIC, (4, 3, 2), planes=slice(1, 3))
    np.testing.assert_array_equal(part, points[6:18])


@pytest.mark.parametrize("rotation", [np.eye(3), *random_rotations()])
def test_right_angles_separate_in_any_orientation(
    random_density: MakeDensity, rotation: NDArray[np.float64]
) -> None:
    assert why_not_separable(random_density(), BOX @ rotation.T) is None


def test_other_angles_do_not(random_density: MakeDensity) -> None:
    assert "not orthogonal" in str(why_not_separable(random_density(), TRICLINIC))
    slightly = BOX + np.array([[0, 1e-6, 0], [0, 0, 0], [0, 0, 0]])
    assert "not orthogonal" in str(why_not_separable(random_density(), slightly))
    rounded = BOX + np.array([[0, 1e-10, 0], [0, 0, 0], [0, 0, 0]])
    assert why_not_separable(random_density(), rounded) is None


def test_lattice_must_run_along_the_grid(random_density: MakeDensity) -> None:
    askew = random_density(cell=TRICLINIC, pbc=(True, True, True))
    assert "lattice vector" in str(why_not_separable(askew, BOX))
    with pytest.raises(DensityError, match="use method 'reference'"):
        align_with_axes(askew, [0, 0, 0], BOX, (4, 4, 4))


def test_vectors_that_are_not_periodic_do_not_matter(random_density: MakeDensity) -> None:
    cell = np.array([[4.0, 0, 0], [1.0, 3.0, 0], [0, 0, 5.0]])
    assert why_not_separable(random_density(cell=cell, pbc=(True, False, True)), BOX) is None
    assert why_not_separable(random_density(cell=cell, pbc=(True, True, False)), BOX) is not None


@pytest.mark.parametrize("rotation", [np.eye(3)[[1, 2, 0]], *random_rotations()])
def test_aligned_density_has_the_same_values(
    random_density: MakeDensity, rotation: NDArray[np.float64]
) -> None:
    density, cell, origin = random_density(), BOX @ rotation.T, np.array([-1.0, 0.5, 0.2])
    aligned, axes, periods = align_with_axes(density, origin, cell, (3, 4, 5))
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    expected = pairwise_density(density, grid_points(origin, cell, (3, 4, 5)))
    np.testing.assert_allclose(pairwise_density(aligned, mesh), expected, atol=1e-11)
    assert periods == (None, None, None)
    assert all((np.diff(x) > 0).all() for x in axes)


def test_periods_follow_the_axes(random_density: MakeDensity) -> None:
    density = random_density(cell=np.diag([6.0, 7.0, 8.0]), pbc=(True, False, True))
    _, _, periods = align_with_axes(density, [0, 0, 0], BOX[[2, 0, 1]], (4, 4, 4))
    assert periods == (8.0, 6.0, None)
