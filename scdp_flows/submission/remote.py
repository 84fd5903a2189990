"""Speak to jobflow-remote."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import MissingDependencyError, SettingsError
from scdp_flows.submission.databases import explained_databases
from scdp_flows.submission.outputs import latest_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jobflow import Flow, Job

    from scdp_flows.submission.cluster import Cluster, Placement

__all__ = ["remote_outputs", "remote_states", "remote_words", "submit_remote"]

_NO_EXEC_CONFIG: Mapping[str, Any] = MappingProxyType({"export": {}})


def remote_words(placement: Placement) -> dict[str, Any]:
    """Return the ``manager_config`` of a job.

    Everything is said, also what is none: what the configuration of a job leaves out,
    jobflow-remote takes from the job that has made it, which may be of another kind. Without queue
    the resources are empty: such workers run jobs in a shell, which refuses to be given any.

    Raises
    ------
    MissingDependencyError
        If jobflow-remote is not installed.
    """
    return {
        "worker": placement.worker,
        "resources": {} if placement.queue is None else _resources(placement),
        # An empty mapping and a priority of 0 would count as left out, too.
        "exec_config": placement.exec_config or dict(_NO_EXEC_CONFIG),
        "priority": placement.priority or 1,
    }


def _resources(placement: Placement) -> Any:
    try:
        from qtoolkit.core.data_objects import QResources
    except ModuleNotFoundError as error:
        raise _missing() from error
    memory = placement.memory_gb
    return QResources(
        queue_name=placement.queue,
        account=placement.account,
        nodes=1,
        processes_per_node=1,
        threads_per_process=placement.cores,
        gpus_per_job=placement.gpus or None,
        memory_per_thread=None if memory is None else round(1024 * memory),
        time_limit=placement.wall_time_s,
    )


def submit_remote(flow: Flow | Job, cluster: Cluster) -> list[str]:
    """Put a placed flow into the queue of a project; return the numbers of its jobs.

    Raises
    ------
    MissingDependencyError
        If jobflow-remote is not installed.
    SettingsError
        If the project or a worker is unknown.
    StoreError
        If its database does not answer, or refuses.
    """
    with _clear_errors(cluster):
        from jobflow_remote import ConfigManager, submit_flow

        _check_workers(cluster, ConfigManager(warn=False).get_project(cluster.project))
        return list(submit_flow(flow, worker=cluster.work["light"].worker, project=cluster.project))


def remote_states(cluster: Cluster, limit: int) -> list[tuple[str, str, str, str]]:
    """Return number, name, state and worker of the latest jobs of a project.

    Raises
    ------
    MissingDependencyError, SettingsError
        As ``submit_remote`` does.
    """
    with _clear_errors(cluster):
        from jobflow_remote.jobs.jobcontroller import JobController

        controller = JobController.from_project_name(cluster.project)
        try:
            # Numbers are strings there, of which "9" comes after "10".
            found = controller.get_jobs_info(limit=limit, sort=[("_id", -1)])
        finally:
            controller.close()
    return [(str(one.db_id), one.name, one.state.value, one.worker) for one in found]


def remote_outputs(cluster: Cluster, names: Sequence[str]) -> dict[str, Any]:
    """Return the latest output of the jobs of these names, as far as there is one.

    Raises
    ------
    MissingDependencyError, SettingsError
        As ``submit_remote`` does.
    """
    with _clear_errors(cluster):
        from jobflow_remote import get_jobstore

        with get_jobstore(cluster.project) as store:
            return latest_outputs(store, names)


def _check_workers(cluster: Cluster, project: Any) -> None:
    """Refuse what the project cannot do: jobflow-remote would notice when the job is due."""
    for work, placement in cluster.work.items():
        for field, known in (("worker", project.workers), ("exec_config", project.exec_config)):
            name = getattr(placement, field)
            if name is not None and name not in known:
                raise SettingsError(
                    f"work.{work}.{field} is {name!r}, which project {project.name!r} lacks; it "
                    f"has {', '.join(known) or 'none'}: correct the cluster file or the project"
                )
        _check_queue(work, placement, project.workers[placement.worker])


def _check_queue(work: str, placement: Placement, worker: Any) -> None:
    """Refuse a queue for a worker that has none, and resources that would never be asked for."""
    kind = getattr(worker, "scheduler_type", None)
    if kind is None:  # a worker of another sort, which says itself what it takes
        return
    where = f"work.{work}: worker {placement.worker!r}"
    if kind == "shell" and placement.queue is not None:
        raise SettingsError(
            f"{where} runs jobs in a shell, which has no queue {placement.queue!r}; leave queue "
            "out, or name a worker with a scheduler"
        )
    if kind != "shell" and placement.queue is None:
        raise SettingsError(
            f"{where} submits to {kind}, but no queue is named, so that its jobs would ask for "
            "neither cores nor time; name the queue"
        )


@contextmanager
def _clear_errors(cluster: Cluster) -> Iterator[None]:
    """Say what to do when jobflow-remote is missing, knows no such project, or is cut off."""
    try:
        from jobflow_remote.config.base import ConfigError
    except ModuleNotFoundError as error:
        raise _missing() from error
    where = f"the database of project {cluster.project!r}"
    try:
        with explained_databases(where, "the project (`jf project check --errors`)"):
            yield
    except ConfigError as error:
        raise SettingsError(
            f"jobflow-remote: {error}; correct the project {cluster.project!r} "
            "(`jf project list`) or the cluster file"
        ) from error


def _missing() -> MissingDependencyError:
    return MissingDependencyError.for_package(
        "jobflow-remote", extra="remote", purpose="submitting to jobflow-remote"
    )
