"""Training that is longer than its batch jobs: a chain of them, and one result."""

from __future__ import annotations

import math
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from jobflow import Flow, run_locally
from pymatgen.core import Molecule

from scdp_flows.jobs.train import TrainMaker
from scdp_flows.predictors.checkpoints import find_checkpoint
from scdp_flows.schemas.training import ModelDoc
from scdp_flows.submission.cluster import TEMPLATE
from scdp_models.checkpoint import load_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.soak,
    pytest.mark.requires("pyscf"),
    pytest.mark.requires("jobflow_remote", "slurm"),
]

_SHORT_STEPS = 200


@pytest.fixture
def short(tmp_path: Path, cheap_pipeline: Any) -> TrainMaker:
    """Give training of a few seconds, on a dataset of its store."""
    chain = cheap_pipeline(tmp_path, n_steps=_SHORT_STEPS, validation=0.2)
    molecules = [Molecule(["H", "H"], [[0, 0, 0], [0, 0, d]]) for d in np.linspace(0.7, 0.8, 5)]
    place = str(tmp_path / "store")
    labels = replace(chain.label_maker.label_maker, store_path=place).make(molecules)
    dataset_maker = replace(chain.train_maker.dataset_maker, store_path=place)
    dataset = dataset_maker.make(labels.output.density_ids)
    run_locally(Flow([labels, dataset]), log=False, ensure_success=True)
    made: TrainMaker = replace(chain.train_maker.train_maker, store_path=place)
    return made


def _train(maker: TrainMaker) -> ModelDoc:
    doc = TrainMaker.make.original(maker, "dataset")  # type: ignore[attr-defined]
    assert isinstance(doc, ModelDoc)
    return doc


def test_a_chain_of_batch_jobs_trains_what_one_long_job_trains(
    short: TrainMaker, tmp_path: Path, run_remotely: Any, slurm: Any
) -> None:
    # Slurm counts in minutes: give a job a few times what it takes to start on this machine, and
    # train for twice as long as that.
    start = time.monotonic()
    training_s = _train(short).train_seconds
    minutes = math.ceil(4 * (time.monotonic() - start) / 60)
    n_steps = 20 * int(120 * minutes / training_s * _SHORT_STEPS / 20)
    maker = replace(short, training={**short.training, "n_steps": n_steps})

    place = tmp_path / "store"
    elsewhere = shutil.copytree(place, tmp_path / "undisturbed")
    _train(replace(maker, store_path=str(elsewhere)))
    limited = f"gpus: 1\n    wall_time_s: {60 * minutes} "
    text = TEMPLATE.replace("gpus: 1\n    wall_time_s: 86400 ", limited)
    (tmp_path / "cluster.yaml").write_text(text)
    before = len(slurm.records())
    rows = run_remotely(maker.make("dataset"), "slurm", **slurm.environment)
    ran = slurm.records()[before:]
    assert len(rows) == len(ran) >= 2
    assert {(one["Partition"], one["TimeLimit"]) for one in ran} == {("gpu", str(minutes))}
    weights = [load_checkpoint(find_checkpoint("small", str(p))).state for p in (place, elsewhere)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
