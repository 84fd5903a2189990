from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import DensityError
from scdp_flows.reports.slices import molecular_plane, sample_plane, slice_figure


def _density(width: float = 0.6) -> ChargeDensity:
    """Give a Gaussian on each of three atoms, in the plane z = 3."""
    positions = np.array([[3.0, 3.0, 3.0], [4.2, 3.0, 3.0], [3.6, 4.0, 3.0]])
    empty = ChargeDensity(
        np.zeros((40, 40, 40)), 7 * np.eye(3), np.zeros(3), np.array([6, 6, 8]), positions
    )
    squares = ((empty.coordinates()[..., None, :] - positions) ** 2).sum(axis=-1)
    values = np.exp(-squares / width**2).sum(axis=-1)
    return ChargeDensity(values, empty.cell, empty.origin, empty.numbers, positions)


def test_the_plane_holds_three_heavy_atoms() -> None:
    rng = np.random.default_rng(1)
    positions = np.vstack([rng.normal(size=(3, 3)), rng.normal(size=(4, 3))])
    plane = molecular_plane([6, 6, 8, 1, 1, 1, 1], positions)
    projected = plane.project(positions)
    np.testing.assert_allclose(projected[:3, 2], 0, atol=1e-12)
    assert np.all(projected[:, :2] > 1.5)
    assert np.all(projected[:, :2] < np.array(plane.extent) - 1.5)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)


def test_points_and_projection_are_inverse() -> None:
    plane = molecular_plane([8, 1, 1], [[0.0, 0, 0], [0.9, 0, 0.2], [-0.2, 0.9, 0]], step=0.5)
    projected = plane.project(plane.points()).reshape(*plane.shape, 3)
    first, second = (np.arange(n) * 0.5 for n in plane.shape)
    expected = np.stack([*np.meshgrid(first, second, indexing="ij"), np.zeros(plane.shape)], -1)
    np.testing.assert_allclose(projected, expected, atol=1e-12)


@pytest.mark.parametrize("numbers", [[1], [1, 1], [6, 8]])
def test_small_and_linear_molecules_have_a_plane(numbers: list[int]) -> None:
    positions = np.array([[0.0, 0.0, 1.1 * i] for i in range(len(numbers))])
    plane = molecular_plane(numbers, positions)
    np.testing.assert_allclose(plane.project(positions)[:, 2], 0, atol=1e-12)
    assert min(plane.extent) >= 3.2


def test_interpolation_finds_the_values_between_the_voxels() -> None:
    density = _density()
    plane = molecular_plane(density.numbers, density.positions, step=0.21)
    squares = ((plane.points()[..., None, :] - density.positions) ** 2).sum(axis=-1)
    expected = np.exp(-squares / 0.36).sum(axis=-1)
    np.testing.assert_allclose(sample_plane(density, plane), expected, atol=2e-3)


def test_crystals_repeat() -> None:
    density = _density()
    crystal = ChargeDensity(
        density.values, density.cell, density.origin, density.numbers, density.positions,
        pbc=(True, True, True),
    )  # fmt: skip
    plane = molecular_plane(density.numbers, density.positions, step=0.3)
    moved = type(plane)(
        plane.corner + np.array([7.0, -14.0, 0]), plane.axes, plane.shape, plane.step
    )
    np.testing.assert_allclose(
        sample_plane(crystal, moved), sample_plane(crystal, plane), atol=1e-9
    )


def test_panels_are_named_and_share_the_scale_of_the_first() -> None:
    label = _density()
    figure = slice_figure(
        label,
        {"atomic": label.values * 1.2, "ours": label.values * 1.001},
        magnified=["ours"],
    )
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left").split("\n")[0] for axes in panels] == [
        "DFT label", "atomic", "ours", "ours",
    ]  # fmt: skip
    limits = [axes.images[0].get_clim() for axes in panels[1:]]
    assert limits[0] == limits[1]
    assert limits[0][1] == pytest.approx(0.2 * label.values.max(), rel=0.5)
    assert limits[2][1] == pytest.approx(0.001 * label.values.max(), rel=0.5)


def test_two_models_take_two_lines() -> None:
    label = _density()
    named = dict.fromkeys(("atomic", "one", "two"), label.values * 1.1)
    figure = slice_figure(label, named, magnified=["one", "two"])
    assert len([axes for axes in figure.axes if axes.images]) == 6


def test_a_perfect_prediction_can_be_drawn() -> None:
    label = _density()
    assert slice_figure(label, {"exact": label.values}, magnified=[]).axes


def test_another_grid_is_refused() -> None:
    with pytest.raises(DensityError, match="grid of the label"):
        slice_figure(_density(), {"atomic": np.zeros((3, 3, 3))}, magnified=[])
