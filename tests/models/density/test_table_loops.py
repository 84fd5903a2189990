"""Compiled and plain look-ups agree, for all degrees the loops know."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_models.density.table_loops import _set_harmonics
from scdp_models.density.table_types import HIGHEST_DEGREE
from scdp_models.harmonics import real_harmonics


@pytest.mark.parametrize("scale", [1e-3, 1.0, 4.0])
def test_recursion_gives_the_solid_harmonics(scale: float) -> None:
    vector = scale * np.array([0.3, -0.8, 0.5])
    found = np.zeros((HIGHEST_DEGREE + 1) ** 2)
    _set_harmonics(found, vector, float(vector @ vector), HIGHEST_DEGREE)
    degrees = np.repeat(np.arange(HIGHEST_DEGREE + 1), 2 * np.arange(HIGHEST_DEGREE + 1) + 1)
    expected = real_harmonics(vector[None], HIGHEST_DEGREE)[0]
    np.testing.assert_allclose(found, expected, atol=1e-12 * scale ** degrees.max() + 1e-15)
