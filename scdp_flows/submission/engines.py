"""Submit placed flows, and ask how they are, whatever the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.errors import SettingsError
from scdp_flows.submission.cluster import Cluster
from scdp_flows.submission.fireworks import (
    fireworks_outputs,
    fireworks_states,
    submit_fireworks,
)
from scdp_flows.submission.placing import place
from scdp_flows.submission.remote import remote_outputs, remote_states, submit_remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import Flow, Job, JobStore

__all__ = ["outputs", "states", "submit_flow"]


def submit_flow(flow: Flow | Job, cluster: Cluster, *, store: JobStore | None = None) -> list[str]:
    """Place the jobs of a flow and hand it to the engine; return the numbers of the jobs.

    Parameters
    ----------
    flow
        Is changed: see :func:`scdp_flows.submission.placing.place`.
    cluster
        Which engine, and where each kind of work is done.
    store
        Where FireWorks puts the outputs; None: where the settings of jobflow on the worker say.
        With jobflow-remote the project decides, and none may be given.

    Raises
    ------
    SettingsError
        If the engine runs nothing later, or does not take the flow.
    MissingDependencyError
        If the engine is not installed.
    """
    checked = _complete(cluster)
    if checked.engine == "remote" and store is not None:
        raise SettingsError(
            f"jobflow-remote puts outputs where the project {checked.project!r} says (jobstore), "
            "not into a store that is given with the flow; leave it out"
        )
    place(flow, checked)
    if checked.engine == "remote":
        return submit_remote(flow, checked)
    return submit_fireworks(flow, checked, store=store)


def states(cluster: Cluster, limit: int) -> list[tuple[str, str, str, str]]:
    """Return number, name, state and worker of the latest jobs, the newest first.

    Raises
    ------
    SettingsError
        If the engine keeps no jobs.
    MissingDependencyError
        If the engine is not installed.
    """
    checked = _complete(cluster)
    return (remote_states if checked.engine == "remote" else fireworks_states)(checked, limit)


def outputs(cluster: Cluster, names: Sequence[str]) -> dict[str, Any]:
    """Return the latest output of the jobs of these names, as far as there is one.

    With FireWorks they are sought in the store of jobflow's settings on this machine.

    Raises
    ------
    SettingsError
        If the engine keeps no jobs.
    MissingDependencyError
        If the engine is not installed.
    """
    checked = _complete(cluster)
    find = remote_outputs if checked.engine == "remote" else fireworks_outputs
    return find(checked, names)


def _complete(cluster: Cluster) -> Cluster:
    """Check again what a change of the engine may have made incomplete."""
    if cluster.engine == "local":
        raise SettingsError(
            "the engine 'local' runs flows at once and keeps no jobs; give --cluster with the "
            "engine remote or fireworks"
        )
    return Cluster.parse(cluster.model_dump_json())
