"""A training job killed from outside at random moments makes the model of an undisturbed one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from scdp_flows.jobs.training_folder import read_metrics
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.jobs.train import TrainMaker
    from scdp_flows.schemas.dataset import DatasetDoc

N_STEPS, N_KILLS = 80, 3
_COMMAND = (
    "import json, sys; from jobflow import run_locally; from scdp_flows.jobs.train import "
    "TrainMaker; maker = TrainMaker.from_dict(json.loads(sys.argv[1])); "
    "run_locally(maker.make(sys.argv[2]), log=False, raise_immediately=True)"
)


def _start(maker: TrainMaker, dataset: DatasetDoc, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _COMMAND, json.dumps(maker.as_dict()), dataset.dataset_id]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)


def _rows(maker: TrainMaker) -> int:
    with maker.open_stores() as stores:
        folders = list((stores.path / "training").glob("*"))
    return max((len(read_metrics(folder)) for folder in folders), default=0)


def _weights(maker: TrainMaker, folder: Path) -> dict[str, Any]:
    with open_stores(maker.store_path) as stores:
        return dict(load_file(stores.models.fetch(maker.model_name, folder)))


@pytest.mark.slow
def test_kills_from_outside_leave_no_trace_in_the_weights(
    maker: TrainMaker, dataset: DatasetDoc, run_flow: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    settings = {**maker.training, "n_steps": N_STEPS, "steps_per_round": 2}
    killed = replace(maker, training=settings)
    calm = replace(killed, store_path=str(tmp_path / "calm"))
    shutil.copytree(str(maker.store_path), tmp_path / "calm")
    for last in sorted(rng.choice(np.arange(2, N_STEPS // 2 - 8), N_KILLS, replace=False)):
        process = _start(killed, dataset, tmp_path)
        while _rows(killed) < last:
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert _start(killed, dataset, tmp_path).wait() == 0
    found = _weights(killed, tmp_path)

    run_flow(calm.make(dataset.dataset_id))
    for name, expected in _weights(calm, tmp_path).items():
        np.testing.assert_array_equal(found[name], expected)
