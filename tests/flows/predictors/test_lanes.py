"""Batches are shared among devices."""

from __future__ import annotations

import time
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from scdp_flows.predictors.lanes import share

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_order_however_long_each_takes() -> None:
    def slow(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(share([slow, slow, slow], range(10))) == list(range(10))


def test_lanes_work_at_the_same_time() -> None:
    met = Barrier(2, timeout=10)
    assert sorted(share([lambda _: met.wait(), lambda _: met.wait()], "ab")) == [0, 1]


def test_no_more_is_taken_than_there_are_lanes() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    found = share([abs, abs], numbers())
    next(found)
    assert taken == [0, 1]


def test_what_a_lane_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(share([int, int], ["1", "x", "3"]))
