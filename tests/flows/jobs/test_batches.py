"""Batches of which some items fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.base import Outcome
from scdp_flows.errors import CalculationError, StructureError
from scdp_flows.jobs.batches import closed, raise_first, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_generator_is_closed_when_its_user_fails() -> None:
    ended = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            ended.append(True)

    def use() -> None:
        with closed(numbers()) as items:
            next(items)
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert ended == [True]


def test_what_cannot_be_closed_is_left_alone() -> None:
    with closed(iter([1, 2])) as items:
        assert list(items) == [1, 2]


def test_an_outcome_is_its_value_or_its_error() -> None:
    assert value_of(Outcome(0, 3.0)) == 3.0
    with pytest.raises(StructureError, match="bent"):
        value_of(Outcome(0, None, StructureError("bent")))
    with pytest.raises(CalculationError, match="item 4"):
        value_of(Outcome(4, None))


def test_one_reason_is_raised_itself_and_the_first_of_many_is_named() -> None:
    with pytest.raises(StructureError):
        raise_first({2: StructureError("bent")}, "labelled")
    with pytest.raises(CalculationError, match=r"none of the 2 structures could be seeded.*bent"):
        raise_first({2: StructureError("bent"), 5: CalculationError("slow")}, "seeded")
