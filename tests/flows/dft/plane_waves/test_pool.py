"""Many crystals at a time."""

from __future__ import annotations

from itertools import islice

import pytest

from scdp_flows.dft.plane_waves.pool import run_many
from scdp_flows.errors import StructureError


def _inverse(x: int) -> float:
    if x < 0:
        message = "negative"
        raise StructureError(message)
    return 1 / x


@pytest.mark.parametrize("n_processes", [1, 3])
def test_failures_spare_the_others(n_processes: int) -> None:
    numbers = [1, 0, -1, 4, 5]
    outcomes = sorted(
        run_many(_inverse, [(x,) for x in numbers], n_processes=n_processes),
        key=lambda outcome: outcome.index,
    )
    assert [outcome.value for outcome in outcomes] == [1.0, None, None, 0.25, 0.2]
    assert "ZeroDivisionError" in str(outcomes[1].error)
    assert isinstance(outcomes[2].error, StructureError)


def test_nothing_is_computed_that_nobody_asks_for() -> None:
    called: list[int] = []
    results = run_many(called.append, [(x,) for x in range(9)], n_processes=2)
    list(islice(results, 1))
    results.close()  # type: ignore[attr-defined]
    assert len(called) <= 4
