"""Labels in a store, for the steps that follow labelling; a training run that is acted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.jobs import training_process
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.schemas.outputs import LabelOutput


@pytest.fixture
def store_path(tmp_path: Path) -> str:
    """Give the folder of the stores."""
    return str(tmp_path / "store")


@pytest.fixture
def labels(gaussian_code: Any, molecules: list[Molecule], store_path: str) -> list[str]:
    """Give the identifiers of six stored labels."""
    maker = LabelMaker(code=gaussian_code, store_path=store_path)
    output: LabelOutput = LabelMaker.make.original(maker, molecules)  # type: ignore[attr-defined]
    return output.density_ids


@pytest.fixture
def dataset(labels: list[str], store_path: str) -> DatasetDoc:
    """Give a dataset of five molecules for training and one for validation."""
    rule = SplitRule(validation=0.01, test=0.0)
    maker = BuildDatasetMaker(store_path=store_path, split=rule, n_processes=1, shard_size=3)
    doc: DatasetDoc = BuildDatasetMaker.make.original(maker, labels)  # type: ignore[attr-defined]
    return doc


@pytest.fixture
def maker(store_path: str) -> TrainMaker:
    """Train a very small network for a few steps."""
    return TrainMaker(
        store_path=store_path,
        model_name="tiny",
        network={"n_layers": 1, "n_channels": 4, "lmax": 1, "n_radial": 4, "radial_hidden": 8},
        training={"n_steps": 6, "steps_per_round": 3, "batch_size": 2, "warmup_steps": 1},
    )


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Give the folder of a run as the training job prepares it."""
    folder = tmp_path / "run"
    folder.mkdir()
    settings = {"learning_rate": 0.01, "batch_size": 11, "devices": 2, "accumulate": 1}
    (folder / "run.json").write_text(json.dumps({"training": settings}))
    (folder / "last.ckpt").write_text("state")
    return folder


@pytest.fixture
def train_by(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a few lines of Python stand for the training."""

    def use(code: str) -> None:
        whole = f"import json, os, sys, time; os.chdir({str(run_folder)!r})\n{code}"
        monkeypatch.setattr(training_process, "_command", lambda _: [sys.executable, "-c", whole])

    return use
