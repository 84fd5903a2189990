"""A demo killed at any stage loses nothing and computes nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scdp_flows.schemas.base import ScdpDoc

pytestmark = [pytest.mark.soak, pytest.mark.requires("pyscf")]

N_LABELS, N_SEEDS = 14, 2
COMMAND = (
    "import sys; from pathlib import Path; from scdp_flows.demo.run import run_demo; "
    "run_demo(Path(sys.argv[1]), small=True)"
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder.parent / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(folder)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kill_when(folder: Path, reached: Callable[[], bool]) -> None:
    """Start the demo and kill it, and it alone, as soon as a stage is reached."""
    process = start(folder)
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, "the demo ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # Workers and the training process notice that nobody is there any more.
    time.sleep(5)


def documents(folder: Path, name: str) -> dict[str, ScdpDoc]:
    if not (folder / "store").is_dir():
        return {}
    with open_stores(folder / "store") as stores:
        found = stores.densities.query() if name == "labels" else stores.reports.seeds.query()
        return {doc.identifier: doc for doc in found}


def kept(before: dict[str, ScdpDoc], after: dict[str, ScdpDoc]) -> bool:
    """Whether every document is there unchanged, its time of making included."""
    return all(after.get(key) == doc for key, doc in before.items())


def test_three_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    kill_when(folder, lambda: len(documents(folder, "labels")) >= 4)
    first = documents(folder, "labels")
    assert 4 <= len(first) < N_LABELS

    kill_when(folder, lambda: any((folder / "store" / "training").glob("*/metrics.jsonl")))
    labels = documents(folder, "labels")
    assert len(labels) == N_LABELS
    assert kept(first, labels)

    kill_when(folder, lambda: len(documents(folder, "seeds")) >= 1)
    seeds = documents(folder, "seeds")
    metrics = next((folder / "store" / "training").glob("*/metrics.jsonl")).read_text()
    steps = [json.loads(line)["step"] for line in metrics.splitlines()]
    assert steps == sorted(set(steps))

    assert start(folder).wait(600) == 0
    assert kept(labels, documents(folder, "labels"))
    assert kept(seeds, documents(folder, "seeds"))
    assert len(documents(folder, "labels")) == N_LABELS
    assert len(documents(folder, "seeds")) == N_SEEDS
    assert (folder / "report.html").is_file()
