"""A pipeline with cheap settings, and jobflow-remote to send it to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from monty.json import MontyEncoder

from scdp_flows.dft.pyscf import PyscfCode, PyscfSettings
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.pipeline import PipelineMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import Flow, Job

Row = tuple[str, str, str, str]  # number, name, state and worker of a job

_CODE = PyscfCode(PyscfSettings(basis="gth-szv", spacing=0.2, padding=3.5, charge_tolerance=5e-3))
_NETWORK = {"n_layers": 1, "n_channels": 8, "lmax": 2, "n_radial": 4, "radial_hidden": 16}
_TRAINING = {"steps_per_round": 20, "batch_size": 3, "warmup_steps": 5, "threads": 1}


class CheapPipeline(Protocol):
    """Make the Maker of a pipeline with stores and report in a folder."""

    def __call__(self, folder: Path, *, n_steps: int, validation: float) -> PipelineMaker: ...


@pytest.fixture(scope="session")
def cheap_pipeline() -> CheapPipeline:
    """Chain cheap settings of everything: PySCF labels, a small network, restarted PySCF."""

    def make(folder: Path, *, n_steps: int, validation: float) -> PipelineMaker:
        training = {**_TRAINING, "n_steps": n_steps}
        return PipelineMaker(
            label_maker=LabelFlowMaker(label_maker=LabelMaker(code=_CODE, n_processes=1)),
            train_maker=TrainFlowMaker(
                dataset_maker=BuildDatasetMaker(
                    n_processes=1, split=SplitRule(validation=validation)
                ),
                train_maker=TrainMaker(model_name="small", network=_NETWORK, training=training),
                evaluate_maker=EvaluateMaker(n_processes=1),
            ),
            seed_maker=SeedMaker(code=_CODE, n_processes=1),
            report_maker=ReportMaker(folder=str(folder / "report")),
            store_path=str(folder / "store"),
        )

    return make


@pytest.fixture
def run_remotely(tmp_path: Path, mongo_port: int, repository: Path) -> Callable[..., list[Row]]:
    """Give a function that runs a flow by jobflow-remote and returns what became of its jobs."""

    def run(flow: Flow | Job, *options: str, **variables: str) -> list[Row]:
        # In a process of its own: jobflow-remote reads its settings once, and leaves connections
        # open.
        file = tmp_path / "flow.json"
        file.write_text(json.dumps(flow, cls=MontyEncoder))
        drill = str(repository / "tests" / "remote_drill.py")
        done = subprocess.run(
            [sys.executable, drill, str(file), str(mongo_port), *options],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
        assert {state for _, _, state, _ in rows} == {"COMPLETED"}, rows
        return rows

    return run
