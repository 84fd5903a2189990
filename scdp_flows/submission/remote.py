"""Speak to jobflow-remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.errors import MissingDependencyError, SettingsError

if TYPE_CHECKING:
    from jobflow import Flow, Job

    from scdp_flows.submission.cluster import Cluster, Placement

__all__ = ["remote_states", "remote_words", "submit_remote"]


def remote_words(placement: Placement) -> dict[str, Any]:
    """Return the ``manager_config`` of a job.

    The resources of a job replace those of its worker; they are not merged by jobflow-remote.
    Workers without queue run jobs in a shell, which refuses to be given any.

    Raises
    ------
    MissingDependencyError
        If jobflow-remote is not installed.
    """
    words: dict[str, Any] = {"priority": placement.priority}
    if placement.queue is not None:
        words["resources"] = _resources(placement)
    if placement.worker is not None:
        words["worker"] = placement.worker
    if placement.exec_config is not None:
        words["exec_config"] = placement.exec_config
    return words


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
    """
    try:
        from jobflow_remote import submit_flow
        from jobflow_remote.config.base import ConfigError
    except ModuleNotFoundError as error:
        raise _missing() from error
    try:
        return list(submit_flow(flow, worker=cluster.work["light"].worker, project=cluster.project))
    except ConfigError as error:
        raise SettingsError(
            f"jobflow-remote does not take the flow: {error}; correct the project "
            f"{cluster.project!r} or the cluster file"
        ) from error


def remote_states(cluster: Cluster, limit: int) -> list[tuple[str, str, str, str]]:
    """Return number, name, state and worker of the latest jobs of a project.

    Raises
    ------
    MissingDependencyError
        If jobflow-remote is not installed.
    """
    try:
        from jobflow_remote.jobs.jobcontroller import JobController
    except ModuleNotFoundError as error:
        raise _missing() from error
    controller = JobController.from_project_name(cluster.project)
    try:
        found = controller.get_jobs_info(limit=limit, sort=[("db_id", -1)])
    finally:
        controller.close()
    return [(str(one.db_id), one.name, one.state.value, one.worker) for one in found]


def _missing() -> MissingDependencyError:
    return MissingDependencyError.for_package(
        "jobflow-remote", extra="remote", purpose="submitting to jobflow-remote"
    )
