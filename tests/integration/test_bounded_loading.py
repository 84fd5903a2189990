"""Datasets larger than the memory are read in bounded memory."""

from __future__ import annotations

import ctypes
import os
import resource
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import shell_charge
from scdp_models.data.samples import GridLabel, TrainingSample, make_sample
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.training.batches import BatchSource, SourceSettings

if TYPE_CHECKING:
    from collections.abc import Callable

N_SHARDS, N_SAMPLES, SHAPE = 10, 4, (80, 80, 80)
ALLOWED = 40 * 10**6


def _reference() -> AtomicReference:
    charge = float(shell_charge(0, 0.9))
    return AtomicReference("Gaussian", {1: AtomicDensity(1.0, (0.9,), (1.0 / charge,))})


def _sample(number: int) -> TrainingSample:
    """Give a hydrogen molecule with 2 MB of grid."""
    random = np.random.default_rng(number)
    positions = np.array([[3.0, 3.0, 3.0], [3.0, 3.0, 3.7 + 0.1 * random.random()]])
    fit = _reference().superposition(np.array([1, 1]), positions)
    grid = GridLabel(random.random(SHAPE, dtype=np.float32), np.zeros(3), 6.0 * np.eye(3))
    basis = lean_basis([1, 1])
    return make_sample(str(number), fit, basis, _reference(), target="total", grid=grid)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give shards that take more than the memory allowed."""
    folder = tmp_path_factory.mktemp("shards")
    paths = []
    for shard in range(N_SHARDS):
        rows = [_sample(shard * N_SAMPLES + row) for row in range(N_SAMPLES)]
        paths.append(write_shard(folder / str(shard), rows))
    return paths


def test_a_dataset_larger_than_the_memory_allowed_is_read(shards: list[Path]) -> None:
    assert sum(path.stat().st_size for path in shards) > 2 * ALLOWED
    _with_little_memory(lambda: _read_all_twice(shards))


def test_the_limit_is_one() -> None:
    with pytest.raises(AssertionError, match="ended with 1"):
        _with_little_memory(lambda: np.ones(ALLOWED))


def _read_all_twice(shards: list[Path]) -> None:
    """Draw probes of every sample in random order, as training on grids does."""
    reader = ShardReader(shards)
    source = BatchSource(reader, SourceSettings(cutoff=3.0, n_probes=200, reference=_reference()))
    for step in range(2):
        for index in np.random.default_rng(step).permutation(len(reader)):
            label = source.label(int(index), step, frozenset({"probes"}))
            assert label.probes is not None
            assert label.probes.target.numel() == 200


def _with_little_memory(work: Callable[[], object]) -> None:
    """Run in a process that may add little to its own memory; mapped files do not count."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ctypes.CDLL(None).malloc_trim(0)  # what was freed before could be had again
            data = Path("/proc/self/status").read_text().split("VmData:")[1]
            allowed = 1024 * int(data.split()[0]) + ALLOWED
            resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - told to the parent
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"ended with {status}"
