"""Give every job of a flow its place, and every job that comes of it later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobflow import Job

from scdp_flows.submission.fireworks import fireworks_words
from scdp_flows.submission.remote import remote_words
from scdp_flows.submission.work import WORKS, functions_of, work_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jobflow import Flow

    from scdp_flows.submission.cluster import Cluster, Placement

__all__ = ["place"]

_WORDS: dict[str, Callable[[Placement], dict[str, Any]]] = {
    "remote": remote_words,
    "fireworks": fireworks_words,
}


def place(flow: Flow | Job, cluster: Cluster) -> None:
    """Say for each job where it runs, in the words of the engine.

    Jobs that are made while the flow runs get their own place in the same way: what a training
    job makes does not run on its GPU unless it trains, too. What a job has been told before, such
    as by ``set_run_config`` of jobflow-remote, stays.

    Parameters
    ----------
    flow
        Is changed: its jobs get a ``manager_config``.
    cluster
        Where each kind of work is done. With the engine ``"local"`` there is nothing to say.
    """
    if cluster.engine == "local":
        return
    words = {work: _WORDS[cluster.engine](cluster.work[work]) for work in WORKS}
    own = [(one, one.config.manager_config, list(one.config_updates)) for one in _jobs(flow)]
    # jobflow hands the configuration of a job down to its children after all updates, which undoes
    # them; so that is switched off, and the updates go down instead.
    for config, function in _rules(words):
        update = {"manager_config": config, "pass_manager_config": False}
        flow.update_config(update, function_filter=function, dynamic=True)
    for job, config, updates in own:
        job.config.manager_config = {**words[work_of(job)], **config}
        # Of the updates for children, later ones win.
        job.config_updates = [*job.config_updates[len(updates) :], *updates]


def _rules(words: dict[Any, dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield configurations and whose jobs they are for; later ones win."""
    yield words["dft"], None
    for work in WORKS:
        for function in functions_of(work):
            yield words[work], function


def _jobs(flow: Flow | Job) -> Iterator[Job]:
    if isinstance(flow, Job):
        yield flow
        return
    for child in flow.jobs:
        yield from _jobs(child)
