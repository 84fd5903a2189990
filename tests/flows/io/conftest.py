"""Fixtures of the tests of readers and writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(repository: Path) -> Path:
    """Give the folder of real files."""
    return repository / "tests" / "data"


@pytest.fixture
def molecule_density() -> ChargeDensity:
    """Give a molecule's density: two Gaussians, four electrons, an origin that is not zero."""
    cell, origin = np.diag([6.0, 7.0, 8.0]), np.array([-3.0, -3.5, 1.0])
    positions = np.array([[0.1, 0.2, 5.2], [0.3, -0.2, 4.4]])
    frame = ChargeDensity(np.zeros((18, 21, 24)), cell, origin, [8, 1], positions)  # type: ignore[arg-type]
    values = np.zeros(frame.shape)
    for centre in positions:
        squares = ((frame.coordinates() - centre) ** 2).sum(axis=-1)
        values += 2 * (2.0 / np.pi) ** 1.5 * np.exp(-2.0 * squares)
    return ChargeDensity(values, cell, origin, frame.numbers, positions)
