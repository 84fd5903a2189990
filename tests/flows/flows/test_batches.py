"""Tests of dividing structures into batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.flows import batches
from scdp_flows.flows.batches import structure_batches

if TYPE_CHECKING:
    from pymatgen.core import Molecule


@pytest.mark.parametrize(("size", "lengths"), [(3, [3, 3, 1]), (7, [7]), (100, [7]), (0, [1] * 7)])
def test_batches_are_full_and_in_order(water: Molecule, size: int, lengths: list[int]) -> None:
    waters = [water.copy() for _ in range(7)]
    found = list(structure_batches(waters, size))
    assert [len(batch) for batch in found] == lengths
    assert [one for batch in found for one in batch] == waters


def test_large_structures_make_small_batches(
    water: Molecule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_ATOMS", 7)
    assert [len(batch) for batch in structure_batches([water] * 5, 100)] == [2, 2, 1]
    monkeypatch.setattr(batches, "MOST_ATOMS", 2)
    assert [len(batch) for batch in structure_batches([water] * 2, 100)] == [1, 1]
