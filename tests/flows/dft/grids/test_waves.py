"""Grids give their waves, in the units of the fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.grids.waves import as_box, grid_waves
from scdp_flows.errors import DensityError
from scdp_flows.units import BOHR_TO_ANGSTROM

CELL = np.array([[4.0, 0.0, 0.0], [1.0, 5.0, 0.0], [0.0, 0.5, 6.0]])


@pytest.fixture
def density() -> ChargeDensity:
    """Give eight electrons and one wave along the second direction."""
    frame = ChargeDensity(np.zeros((12, 14, 16)), CELL, np.zeros(3), np.array([8]), np.ones((1, 3)))
    wave = np.cos(2 * np.pi * 2 * (np.arange(14) / 14))[None, :, None]
    values = 8 / frame.volume + 0.01 * wave * np.ones(frame.shape)
    return replace(frame, values=values, pbc=(True, True, True))


def test_waves_hold_the_electrons_and_the_ripple(density: ChargeDensity) -> None:
    waves = grid_waves(density)
    found = {tuple(i): v for i, v in zip(waves.indices.tolist(), waves.components[0], strict=True)}
    volume = density.volume / BOHR_TO_ANGSTROM**3
    assert found[0, 0, 0] * volume == pytest.approx(8)
    for index in ((0, 2, 0), (0, -2, 0)):
        assert found[index] == pytest.approx(0.005 * BOHR_TO_ANGSTROM**3)
    assert np.abs([v for i, v in found.items() if i[0] or i[2]]).max() < 1e-12


def test_waves_end_where_the_grid_does(density: ChargeDensity) -> None:
    indices = np.abs(grid_waves(density).indices)
    assert (indices <= np.array([5, 6, 7])).all()
    with pytest.raises(DensityError, match=r"\(12, 2, 16\) points holds no waves"):
        grid_waves(replace(density, values=np.zeros((12, 2, 16))))


def test_slabs_are_refused_and_corners_moved(density: ChargeDensity) -> None:
    moved = replace(density, origin=np.array([0.5, 0.0, 0.0]))
    np.testing.assert_allclose(as_box(moved, 8.0).positions, [[0.5, 1.0, 1.0]])
    with pytest.raises(DensityError, match="O: periodic in the directions"):
        as_box(replace(density, pbc=(True, True, False)), 8.0)
