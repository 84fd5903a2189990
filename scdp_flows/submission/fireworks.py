"""Speak to FireWorks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import MissingDependencyError, SettingsError
from scdp_flows.submission.databases import explained_databases
from scdp_flows.submission.outputs import latest_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobflow import Flow, Job, JobStore

    from scdp_flows.submission.cluster import Cluster, Placement

__all__ = [
    "fireworks_outputs",
    "fireworks_states",
    "fireworks_words",
    "open_launchpad",
    "submit_fireworks",
]


def fireworks_words(placement: Placement) -> dict[str, Any]:
    """Return the ``manager_config`` of a job: its category, and what its batch script needs.

    ``_queueadapter`` is read when each job has a batch job of its own (``qlaunch -r``).
    """
    memory = placement.memory_gb
    hours, minutes = divmod(-(-(placement.wall_time_s or 0) // 60), 60)
    adapter = {
        "queue": placement.queue,
        "account": placement.account,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": placement.cores,
        "gres": f"gpu:{placement.gpus}" if placement.gpus else None,
        "mem_per_cpu": None if memory is None else f"{round(1024 * memory)}M",  # whole numbers only
        "walltime": f"{hours:02d}:{minutes:02d}:00" if placement.wall_time_s else None,
    }
    words: dict[str, Any] = {
        "_queueadapter": {name: value for name, value in adapter.items() if value is not None},
        "_priority": placement.priority,
    }
    if placement.worker is not None:
        words["_category"] = placement.worker
    return words


@contextmanager
def open_launchpad(cluster: Cluster) -> Iterator[Any]:
    """Give the LaunchPad that a cluster file names, and close its connection at the end.

    Raises
    ------
    MissingDependencyError
        If FireWorks is not installed.
    SettingsError
        If the file is not there.
    StoreError
        If the database does not answer, or refuses.
    """
    try:
        from fireworks import LaunchPad
    except ModuleNotFoundError as error:
        raise _missing() from error
    if cluster.launchpad is not None and not cluster.launchpad.is_file():
        raise SettingsError(
            f"launchpad: {cluster.launchpad} is no file; `lpad init` makes one, or correct the path"
        )
    described_in = "the LaunchPad file" if cluster.launchpad is None else str(cluster.launchpad)
    with explained_databases("the database of FireWorks", described_in):
        launchpad = (
            LaunchPad.auto_load()
            if cluster.launchpad is None
            else LaunchPad.from_file(str(cluster.launchpad))
        )
        try:
            yield launchpad
        finally:
            launchpad.connection.close()


def submit_fireworks(
    flow: Flow | Job, cluster: Cluster, *, store: JobStore | None = None
) -> list[str]:
    """Add a placed flow to the LaunchPad; return the numbers of its fireworks.

    Parameters
    ----------
    flow, cluster
        What to add, and where.
    store
        Where outputs go; None: where the settings of jobflow on the worker say. A store that is
        given is written into every firework, its password too.

    Raises
    ------
    MissingDependencyError
        If FireWorks is not installed.
    SettingsError
        If the LaunchPad file is not there.
    StoreError
        If the database does not answer, or refuses.
    """
    with open_launchpad(cluster) as launchpad:
        from jobflow.managers.fireworks import flow_to_workflow

        # No store means that of the settings on the worker; the annotation does not say so.
        workflow = flow_to_workflow(flow, store=store)  # type: ignore[arg-type]
        return [str(one) for one in launchpad.add_wf(workflow).values()]


def fireworks_states(cluster: Cluster, limit: int) -> list[tuple[str, str, str, str]]:
    """Return number, name, state and category of the latest fireworks."""
    with open_launchpad(cluster) as launchpad:
        numbers = launchpad.get_fw_ids(sort=[("fw_id", -1)], limit=limit)
        found = [launchpad.get_fw_by_id(number) for number in numbers]
    return [
        (str(one.fw_id), one.name, one.state, str(one.spec.get("_category", ""))) for one in found
    ]


def fireworks_outputs(cluster: Cluster, names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG001 - FireWorks has no store
    """Return the latest output of the jobs of these names in the store of jobflow's settings."""
    from jobflow import SETTINGS

    where = "the store of outputs"
    with explained_databases(where, "JOB_STORE of jobflow's settings"), SETTINGS.JOB_STORE as store:
        return latest_outputs(store, names)


def _missing() -> MissingDependencyError:
    return MissingDependencyError.for_package(
        "fireworks", extra="fireworks", purpose="submitting to FireWorks"
    )
