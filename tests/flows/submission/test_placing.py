"""Jobs get their places, also those that are made while a flow runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from jobflow import CURRENT_JOB, Flow, Job, JobStore, Maker, Response, job
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, MontyEncoder

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.jobs.label import LabelMaker, merge_labels
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.placing import place
from scdp_flows.submission.work import WORKS

FIREWORKS = Cluster.parse(
    TEMPLATE.replace("engine: remote ", "engine: fireworks ").replace("cpu", "login", 1)
)


_PLACES = ["cpu", "gpu", "login", "cpu", "login"]


def _category(one: Job) -> Any:
    return one.config.manager_config.get("_category")


@dataclass
class BranchMaker(Maker):
    """Make a job that makes jobs of all sorts, also one that nobody knows."""

    name: str = "branch"

    @job
    def make(self) -> Response[Any]:
        """Make them."""
        return Response(detour=Flow(_some_jobs()))


@job
def _unknown() -> None: ...


def _some_jobs() -> list[Any]:
    label = LabelMaker(code=PyscfCode()).make([])
    return [label, TrainMaker().make("d"), ReportMaker().make(), _unknown(), merge_labels([])]


def test_each_job_goes_where_its_work_is_done() -> None:
    jobs = _some_jobs()
    place(Flow([Flow(jobs[:2]), *jobs[2:]]), FIREWORKS)
    assert [_category(one) for one in jobs] == _PLACES
    assert jobs[1].config.manager_config["_queueadapter"]["gres"] == "gpu:1"
    assert jobs[2].config.manager_config["_queueadapter"]["walltime"] == "01:00:00"


@pytest.mark.parametrize("stored", [False, True], ids=["here", "through-json"])
def test_children_get_places_of_their_own(stored: bool) -> None:
    branch = BranchMaker().make()
    place(branch, FIREWORKS)
    branch.config.manager_config = {"_category": "gpu"}  # as if it ran on a GPU
    if stored:
        branch = MontyDecoder().process_decoded(json.loads(json.dumps(branch, cls=MontyEncoder)))
    store = JobStore(MemoryStore())
    with store:
        detour: Any = branch.run(store).detour
    assert [_category(one) for one in detour.jobs] == _PLACES
    assert all(not one.config.pass_manager_config for one in detour.jobs)
    assert all(one.config_updates for one in detour.jobs)


def test_what_the_user_has_said_stays() -> None:
    jobs: Any = [LabelMaker(code=PyscfCode()).make([]), BranchMaker().make()]
    flow, (label, branch) = Flow(jobs), jobs
    chosen = {"_set": {"manager_config->_category": "big"}}
    flow.update_config(chosen, name_filter="label", dict_mod=True)
    place(flow, FIREWORKS)
    assert [_category(one) for one in jobs] == ["big", "cpu"]
    assert label.config.manager_config["_queueadapter"]["cpus_per_task"] == 8
    store = JobStore(MemoryStore())
    with store:
        detour: Any = branch.run(store).detour
    assert [_category(one) for one in detour.jobs] == ["big", *_PLACES[1:-1], "big"]


def test_a_continuation_of_training_stays_on_its_gpu() -> None:
    one = TrainMaker().make("d")
    place(one, FIREWORKS)
    CURRENT_JOB.job = one
    following: Any = TrainMaker()._continuation("d", None)
    CURRENT_JOB.reset()
    assert _category(following) == "gpu"
    # jobflow gives this to the jobs that a job makes.
    assert one.config.response_manager_config == following.config.manager_config


def test_each_kind_of_worker_is_examined_by_itself() -> None:
    doctors: Any = [DoctorMaker(work=work).make() for work in WORKS]
    place(Flow(doctors), FIREWORKS)
    expected = [FIREWORKS.work[work].worker for work in WORKS]
    assert [_category(one) for one in doctors] == expected


def test_here_nothing_is_said() -> None:
    one = LabelMaker(code=PyscfCode()).make([])
    place(one, Cluster())
    assert one.config.manager_config == {}
    assert one.config.pass_manager_config
