"""Workers killed in every Maker lose nothing that is stored, and repeat no finished DFT."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.requires("pyscf")

_WITHOUT_DOCUMENT = {"merge labels"}
# A killed job takes a minute on the engines: there, those whose loss costs most, or that store
# nothing, are also killed when they are done.
_DONE = {
    "local": ("merge labels", "label", "seed", "train", "predict", "report"),
    "fireworks": ("merge labels", "label", "seed", "train"),
    "remote": ("merge labels", "label"),
}


@pytest.mark.slow
def test_a_killed_label_job_repeats_no_finished_calculation(
    tmp_path: Path, whole_way: Any, drill: Callable[..., dict[str, Any]]
) -> None:
    found = drill("local", whole_way.labels(tmp_path / "store"), [("label", "stored")])
    assert found["killed"] == 1
    assert Counter(line.split()[0] for line in found["finished"]) == {"label_many": 3}


@pytest.mark.soak
@pytest.mark.parametrize(
    "engine",
    [
        "local",
        pytest.param("fireworks", marks=pytest.mark.requires("fireworks")),
        pytest.param("remote", marks=pytest.mark.requires("jobflow_remote")),
    ],
)
def test_every_maker_can_be_killed(
    tmp_path: Path,
    whole_way: Any,
    drill: Callable[..., dict[str, Any]],
    mongo_port: int,
    engine: str,
) -> None:
    plan = [(name, "stored") for name in whole_way.JOBS if name not in _WITHOUT_DOCUMENT]
    plan += [("train", "training"), *((name, "done") for name in _DONE[engine])]
    found = drill(engine, whole_way.whole_way(tmp_path), plan, mongo_port)
    assert found["killed"] == len(list(tmp_path.glob("*.killed"))) == len(plan)
    assert set(found["states"]) == {"COMPLETED"}
    # No calculation was finished twice, however often its job was killed.
    assert Counter(line.split()[0] for line in found["finished"]) == {
        "label_many": whole_way.N_LABELS,
        "compare_starts_many": whole_way.N_SEEDS,
    }
    with open_stores(tmp_path / "store") as stores:
        assert stores.densities.count() == whole_way.N_LABELS + 1
        assert stores.reports.seeds.count() == whole_way.N_SEEDS
        # Those of the flow, and those of two predictors that are evaluated.
        assert stores.reports.predictions.count() == 2 + 2 * whole_way.N_SEEDS
        assert len(list(stores.models.query())) == 1
        assert not check_stores(stores).problems
