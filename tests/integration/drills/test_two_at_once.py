"""Two runners share the jobs of a flow; a flow that is submitted twice at once is done once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.requires("pyscf")]


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("fireworks", marks=pytest.mark.requires("fireworks")),
        pytest.param("remote", marks=pytest.mark.requires("jobflow_remote")),
    ],
)
def test_two_runners_do_every_job_once(
    tmp_path: Path,
    whole_way: Any,
    drill: Callable[..., dict[str, Any]],
    mongo_port: int,
    engine: str,
) -> None:
    flow = whole_way.labels(tmp_path / "store", batch_size=1)
    found = drill(engine, flow, port=mongo_port, runners=2)
    assert found["states"] == ["COMPLETED"] * 4
    assert len(found["finished"]) == len(set(found["finished"])) == 3


def test_a_flow_submitted_twice_at_once_leaves_everything_once(
    tmp_path: Path, whole_way: Any, drill: Callable[..., dict[str, Any]]
) -> None:
    drill("local", whole_way.whole_way(tmp_path), runners=2)
    with open_stores(tmp_path / "store") as stores:
        assert stores.densities.count() == whole_way.N_LABELS + 1
        assert stores.reports.seeds.count() == whole_way.N_SEEDS
        assert len(list(stores.models.query())) == 1
        assert not check_stores(stores).problems
