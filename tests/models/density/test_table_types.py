"""What is handed to compiled loops survives the way there."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from scdp_models.density.table_types import Bins


def _points_in(bins: Bins, box: int) -> int:
    return int(bins.starts[box + 1] - bins.starts[box])


def test_named_tuples_can_be_compiled() -> None:
    starts, counts = np.array([0, 2, 5]), np.array([1, 1, 2])
    bins = Bins(np.zeros((5, 3)), starts, np.zeros(3), np.ones(3), counts)
    compiled: Any = numba.njit(_points_in)
    assert [compiled(bins, box) for box in (0, 1)] == [2, 3]
