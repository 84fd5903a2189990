"""Every Maker of a job has said what kind of work it does."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from jobflow import job
from jobflow.core.job import store_inputs

import scdp_flows.jobs
from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.jobs.label import LabelMaker, merge_labels
from scdp_flows.jobs.train import TrainMaker
from scdp_flows.submission.work import WORKS, functions_of, makers_of, work_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _descendants(kind: type[Any]) -> Iterator[type[Any]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def _own_makers() -> set[type[Any]]:
    for module in pkgutil.iter_modules(scdp_flows.jobs.__path__):
        import_module(f"scdp_flows.jobs.{module.name}")
    found = (kind for kind in _descendants(StepMaker) if "make" in vars(kind))
    return {kind for kind in found if kind.__module__.startswith("scdp_flows.jobs.")}


def test_all_makers_of_jobs_are_listed() -> None:
    listed = {maker for work in WORKS for maker in makers_of(work)}
    assert listed == _own_makers()


def _own_functions() -> Iterator[Any]:
    for module in pkgutil.iter_modules(scdp_flows.jobs.__path__):
        for one in vars(import_module(f"scdp_flows.jobs.{module.name}")).values():
            # What jobflow has made a job of keeps its original.
            if hasattr(one, "original") and one.__module__.startswith("scdp_flows."):
                yield one


def test_all_jobs_without_maker_are_bookkeeping() -> None:
    listed = set(functions_of("light"))
    assert set(_own_functions()) <= listed
    assert store_inputs in listed
    assert work_of(merge_labels([])) == work_of(store_inputs(1)) == "light"


def test_a_subclass_does_the_work_of_its_parent() -> None:
    class Mine(TrainMaker):
        pass

    assert work_of(Mine().make("dataset")) == "training"
    assert work_of(LabelMaker(code=PyscfCode()).make([])) == "dft"


def test_workers_are_examined_where_they_are() -> None:
    for work in WORKS:
        assert work_of(DoctorMaker(work=work).make()) == work


@job
def _foreign() -> None: ...


@pytest.mark.parametrize("maker", [False, True])
def test_jobs_of_others_are_taken_for_dft(maker: bool) -> None:
    from atomate2.vasp.jobs.core import StaticMaker

    static: Any = StaticMaker()
    made = static.make(None) if maker else _foreign()
    assert work_of(made) == "dft"
