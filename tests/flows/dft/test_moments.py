from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.dft.moments import LARGEST_MOMENT, why_no_moments


@pytest.mark.parametrize(
    ("numbers", "moments", "reason"),
    [
        ([14, 14], [LARGEST_MOMENT, -LARGEST_MOMENT], None),
        ([14, 14], [1.0, 1.0], "1 µB"),
        ([26, 8], [0.6, 0.0], "Fe"),
        ([64, 7], [0.0, 0.0], "Gd"),
    ],
    ids=["small", "large", "d", "f"],
)
def test_only_moments_that_vanish_are_made_up(
    numbers: list[int], moments: list[float], reason: str | None
) -> None:
    found = why_no_moments(np.array(numbers), moments)
    assert found is None if reason is None else reason in str(found)
