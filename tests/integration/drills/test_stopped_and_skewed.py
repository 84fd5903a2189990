"""Jobs that a batch system stops, and machines whose clocks are wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder

from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.garbage import collect_garbage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.soak, pytest.mark.requires("pyscf")]


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Give a function that starts a flow in a process group of its own."""

    def run(flow: Any, *before: str) -> subprocess.Popen[bytes]:
        (tmp_path / "flow.json").write_text(json.dumps(flow, cls=MontyEncoder))
        (tmp_path / "plan.json").write_text("[]")
        drills = repository / "tests" / "drills"
        paths = [drills / "hooks", repository, repository / "models"]
        return subprocess.Popen(
            [*before, sys.executable, str(drills / "engines.py"), "work", str(tmp_path)],
            env=os.environ
            | {"DRILL_FOLDER": str(tmp_path), "PYTHONPATH": os.pathsep.join(map(str, paths))},
            start_new_session=True,
        )

    return run


def test_what_was_finished_before_the_wall_time_is_not_computed_again(
    tmp_path: Path, whole_way: Any, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    flow, finished = whole_way.labels(tmp_path / "store"), tmp_path / "finished.txt"
    job = start(flow)
    while not finished.is_file():
        assert job.poll() is None
        time.sleep(0.02)
    # As batch systems do: first the polite signal, to all processes of the job.
    os.killpg(job.pid, signal.SIGTERM)
    assert job.wait(60) != 0
    with open_stores(tmp_path / "store") as stores:
        n_before = stores.densities.count()
    assert start(flow).wait(300) == 0
    # What was in hand at that moment may have been finished and not stored.
    assert len(finished.read_text().splitlines()) <= 3 + 1
    assert n_before <= 3
    with open_stores(tmp_path / "store") as stores:
        assert stores.densities.count() == 3
        assert not check_stores(stores).problems


@pytest.mark.requires("faketime")
def test_clocks_that_differ_by_days_do_no_harm(
    tmp_path: Path, whole_way: Any, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    flow = whole_way.whole_way(tmp_path)
    assert start(whole_way.labels(tmp_path / "store"), "faketime", "-f", "+3d").wait(300) == 0
    assert start(flow, "faketime", "-f", "-3d").wait(900) == 0
    with open_stores(tmp_path / "store") as stores:
        # What was just written is not taken for old.
        assert collect_garbage(stores).n_removed == 0
        assert stores.densities.count() == whole_way.N_LABELS + 1
        assert not check_stores(stores).problems
    assert len((tmp_path / "finished.txt").read_text().splitlines()) == (
        whole_way.N_LABELS + whole_way.N_SEEDS
    )
