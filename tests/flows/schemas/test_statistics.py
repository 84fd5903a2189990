from __future__ import annotations

import pytest

from scdp_flows.schemas.statistics import Spread, StatisticsDoc


def test_whole_numbers_get_whole_bins() -> None:
    spread = Spread.from_values([2, 2, 3, 5])
    assert spread.edges == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert spread.counts == [2, 1, 0, 1]
    assert (spread.smallest, spread.median, spread.mean, spread.largest) == (2, 2.5, 3, 5)


@pytest.mark.parametrize(
    "values", [[0.1, 0.2, 0.35], [0.2], [7], [0.25, 0.25 + 1e-17, 0.25 - 6e-17], list(range(1000))]
)
def test_every_value_is_in_a_bin(values: list[float]) -> None:
    spread = Spread.from_values(values)
    assert sum(spread.counts) == len(values)
    assert len(spread.edges) == len(spread.counts) + 1 <= 26
    assert spread.edges[0] <= min(values)
    assert spread.edges[-1] >= max(values)


def test_datasets_and_queries_have_statistics_of_their_own() -> None:
    ids = {
        StatisticsDoc.make_id("a", {}),
        StatisticsDoc.make_id(None, {}),
        StatisticsDoc.make_id(None, {"tags": "x"}),
    }
    assert len(ids) == 3
