"""Active learning goes through both engines, each job on its worker, whoever is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder

from scdp_flows.flows.active_learning import ActiveLearningMaker
from scdp_flows.flows.ensemble import EnsembleTrainMaker
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.campaign import BeginCampaignMaker, NextRoundMaker
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.select import SelectMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.schemas.active_learning import ActiveLearningOutput
from scdp_flows.stores.factory import job_store, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jobflow import Flow

pytestmark = [pytest.mark.soak, pytest.mark.requires("pyscf")]

_NETWORK = {"n_layers": 1, "n_channels": 8, "lmax": 2, "n_radial": 4, "radial_hidden": 16}
_TRAINING = {"n_steps": 8, "steps_per_round": 4, "batch_size": 3, "warmup_steps": 2, "threads": 1}
_PLACES = {
    "label": "cpu",
    "begin": "cpu",
    "build dataset": "cpu",
    "train 0": "gpu",
    "train 1": "gpu",
    "evaluate": "gpu",
    "select": "gpu",
    "next round": "cpu",
}


def _campaign(folder: Path, whole_way: Any, target: float) -> Flow:
    """Return a campaign over hydrogen molecules: two labels, then one more at a time, up to three.

    The first two molecules are for testing.
    """
    maker = ActiveLearningMaker(
        label_maker=LabelFlowMaker(label_maker=LabelMaker(code=whole_way.CODE, n_processes=1)),
        begin_maker=BeginCampaignMaker(n_first=2),
        dataset_maker=BuildDatasetMaker(split=SplitRule(validation=0.0), n_processes=1),
        ensemble_maker=EnsembleTrainMaker(
            n_models=2,
            train_maker=TrainMaker(network=_NETWORK, training=_TRAINING),
            evaluate_maker=EvaluateMaker(n_processes=1),
        ),
        select_maker=SelectMaker(n_structures=1),
        next_maker=NextRoundMaker(max_labels=3, target=target),
        store_path=str(folder / "store"),
    )
    molecules = whole_way.molecules()
    return maker.make(molecules[2:], molecules[:2])


def _check(folder: Path, output: Any, ran: Iterable[tuple[str, str]]) -> ActiveLearningOutput:
    """Check that jobs ran where they should, and that no label was lost; return the output."""
    found = ActiveLearningOutput.model_validate(output)
    places = set(ran)
    assert {name for name, _ in places} >= set(_PLACES)
    for name, worker in places:
        assert worker == _PLACES.get(name, "cpu"), (name, worker)
    chosen = [index for one in found.rounds for index in one.chosen]
    assert len(set(chosen)) == len(chosen) == found.rounds[-1].n_labels
    with open_stores(folder / "store") as stores:
        assert stores.densities.count() == 2 + len(chosen)
        assert len(list(stores.models.query())) == 2 * len(found.rounds)
    return found


@pytest.mark.requires("jobflow_remote")
def test_a_campaign_outlasts_the_runner_of_jobflow_remote(
    tmp_path: Path, whole_way: Any, mongo_port: int, repository: Path
) -> None:
    flow = _campaign(tmp_path, whole_way, target=0.0)
    (tmp_path / "flow.json").write_text(json.dumps(flow, cls=MontyEncoder))
    (tmp_path / "plan.json").write_text("[]")
    script = repository / "tests" / "drills" / "killed_runner.py"
    paths = os.pathsep.join([str(repository), str(repository / "models")])
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(mongo_port)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    drilled = json.loads(done.stdout.splitlines()[-1])
    assert set(drilled["states"]) == {"COMPLETED"}, drilled
    found = _check(tmp_path, drilled["output"], map(tuple, drilled["workers"]))
    assert found.stopped == "budget"
    assert [one.n_labels for one in found.rounds] == [2, 3]
    assert len((tmp_path / "finished.txt").read_text().splitlines()) == 5


@pytest.mark.requires("fireworks")
def test_a_campaign_outlasts_the_workers_of_fireworks(
    tmp_path: Path, whole_way: Any, drill: Callable[..., dict[str, Any]], mongo_port: int
) -> None:
    from fireworks import LaunchPad

    plan = [("label", "stored"), ("select", "done"), ("next round", "done")]
    drilled = drill("fireworks", _campaign(tmp_path, whole_way, target=1e9), plan, mongo_port)
    assert (drilled["killed"], set(drilled["states"])) == (3, {"COMPLETED"})
    pad = LaunchPad.from_file(str(tmp_path / "launchpad.yaml"))
    ran = [pad.get_fw_by_id(number) for number in pad.get_fw_ids()]
    places = [(one.name, launch.fworker.name) for one in ran for launch in one.launches]
    with job_store(tmp_path / "outputs") as outputs:
        (last,) = outputs.query({"name": "next round"}, load=True)
    pad.connection.close()
    assert _check(tmp_path, last["output"], places).stopped == "target"
    assert len(drilled["finished"]) == 4
