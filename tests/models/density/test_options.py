"""What may be asked of an evaluation, and how wrong requests are answered."""

from __future__ import annotations

from typing import Any

import pytest

from scdp_models.density.options import Accuracy
from scdp_models.errors import DensityError


def test_defaults_are_all_pairs_to_a_millionth() -> None:
    found = Accuracy.of({"threads": 3})
    assert found == Accuracy(method="auto", tolerance=1e-6, cutoff=None, threads=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "seperable"}, "did you mean 'separable'"),
        ({"tolerence": 1e-3}, "unknown option 'tolerence'.*did you mean 'tolerance'"),
        ({"tolerance": 0.0}, "tolerance is 0.0, expected a positive number of e/Å"),
        ({"tolerance": float("nan")}, "positive number"),
        ({"cutoff": -5.0}, "cutoff is -5.0, expected a positive number of Å"),
        ({"cutoff": "far"}, "cutoff is far"),
    ],
)
def test_wrong_requests_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DensityError, match=message):
        Accuracy.of(options)
