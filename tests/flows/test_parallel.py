"""Calls in several processes come back in order, and deaths are explained."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import CalculationError
from scdp_flows.parallel import available_cores, map_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_one_process_and_many_agree() -> None:
    numbers = [(float(n),) for n in range(5)]
    alone = list(map_parallel(math.sqrt, numbers, n_processes=1))
    assert list(map_parallel(math.sqrt, iter(numbers), n_processes=2)) == alone


def test_items_are_not_taken_long_before_they_are_needed() -> None:
    taken = []

    def numbers() -> Iterator[tuple[float]]:
        for n in range(10):
            taken.append(n)
            yield (n,)

    results = map_parallel(math.sqrt, numbers(), n_processes=1)
    next(results)
    assert taken == [0]


def test_workers_compute_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    (threads, _) = map_parallel(os.getenv, [("OMP_NUM_THREADS",)] * 2, n_processes=2)
    assert threads == "1"
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(CalculationError, match="lack of memory"):
        list(map_parallel(os._exit, [(1,), (1,)], n_processes=2))


def test_an_error_of_a_call_is_raised() -> None:
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        list(map_parallel(math.sqrt, [(4.0,), (-1.0,)], n_processes=2))


@pytest.mark.parametrize("variable", ["SLURM_CPUS_PER_TASK", "NCPUS", "NSLOTS"])
def test_no_more_cores_are_used_than_the_batch_job_was_given(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_CPUS_PER_TASK", "NCPUS", "NSLOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16))
    found = {}
    for given in ("4", "64", "0", "", "many"):
        monkeypatch.setenv(variable, given)
        found[given] = available_cores()
    assert found == {"4": 4, "64": 16, "0": 16, "": 16, "many": 16}


def test_workers_do_not_outlive_a_killed_parent() -> None:
    script = (
        "import time; from scdp_flows.parallel import map_parallel\n"
        "for _ in map_parallel(time.sleep, [(0.01,)] * 4 + [(60,)] * 4, n_processes=2):\n"
        "    print('up', flush=True)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    parent.wait()
    # The workers inherited the pipe: its end is theirs.
    reader = Thread(target=parent.stdout.read, daemon=True)
    reader.start()
    reader.join(20)
    assert not reader.is_alive()
    parent.stdout.close()


def test_a_worker_that_ctrl_c_ended_is_no_lack_of_memory() -> None:
    with pytest.raises(KeyboardInterrupt):
        list(map_parallel(signal.raise_signal, [(signal.SIGINT,)] * 3, n_processes=2))
    with pytest.raises(CalculationError, match="lack of memory"):
        list(map_parallel(signal.raise_signal, [(signal.SIGKILL,)] * 3, n_processes=2))
