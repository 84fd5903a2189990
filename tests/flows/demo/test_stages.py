from __future__ import annotations

import logging
from io import StringIO

import pytest
from jobflow import Flow, JobOrder, job, run_locally
from rich.console import Console

from scdp_flows.demo.stages import Stages, elapsed_text, watched


class _Clock:
    """Advance by one second at each look."""

    def __init__(self) -> None:
        self.now = -1.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@job
def _count() -> int:
    logging.getLogger("scdp_flows.progress").info("label: 3/4 [H2O]")
    return 1


@pytest.mark.filterwarnings("ignore:cd is deprecated:FutureWarning")
def test_each_job_gets_a_heading_with_its_meaning() -> None:
    out = StringIO()
    first, second = _count(), _count()
    first.name, second.name = "label", "train model"
    stages = Stages(Console(file=out, width=100), {"train": "fit the network"})
    with watched(stages):
        run_locally(Flow([first, second], order=JobOrder.LINEAR), log=False)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["[", "0:00]", "label"]
    assert "label: 3/4 [H2O]" in lines[1]
    assert lines[2].endswith("train model  fit the network")
    assert set(stages.seconds) == {"label", "train model"}


def test_stages_are_timed() -> None:
    stages = Stages(Console(file=StringIO()), {}, clock=_Clock())
    for name in ("a", "b", "a"):
        stages.begin(name)
    total = stages.finish()
    assert total > stages.seconds["a"] > stages.seconds["b"] > 0


def test_warnings_of_others_are_shown_and_their_chatter_is_not() -> None:
    out = StringIO()
    with watched(Stages(Console(file=out, width=100), {})):
        logging.getLogger("jobflow.core.job").info("Finished job - x")
        logging.getLogger("jobflow.core.job").warning("something is odd")
    assert out.getvalue().strip() == "something is odd"


def test_no_line_is_written_twice(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("scdp_flows")
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    out = StringIO()
    with watched(Stages(Console(file=out, width=100), {})):
        logger.info("label: 3/4")
    logger.removeHandler(handler)
    assert out.getvalue().count("label: 3/4") == 1
    assert capsys.readouterr().err == ""


def test_loggers_are_left_as_they_were() -> None:
    logger = logging.getLogger("jobflow")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with pytest.raises(RuntimeError), watched(Stages(Console(file=StringIO()), {})):
        raise RuntimeError
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_long_times_stay_in_minutes() -> None:
    assert elapsed_text(3700) == "61:40"
