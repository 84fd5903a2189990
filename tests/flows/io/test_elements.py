"""Labels of atoms become elements."""

from __future__ import annotations

import pytest

from scdp_flows.io.elements import atomic_number


@pytest.mark.parametrize(
    ("label", "number"),
    [("Fe1", 26), ("O_up", 8), ("CO", 27), ("H2", 1), ("si", 14), ("118", 118), ("119", 0),
     ("", 0), ("Xx", 0), ("*", 0)],
)  # fmt: skip
def test_labels(label: str, number: int) -> None:
    assert atomic_number(label) == number
