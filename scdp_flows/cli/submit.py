"""Send flows to a workflow engine, look after them, and try the workers first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from monty.json import jsanitize
from rich.console import Console

from scdp_flows.cli.options import StoreOption, as_path
from scdp_flows.cli.running import PARTLY_FAILED, run_here, show_table
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.schemas.doctor import Examination
from scdp_flows.submission.cluster import TEMPLATE, Cluster, Engine
from scdp_flows.submission.engines import outputs, states, submit_flow
from scdp_flows.submission.flow_file import FlowFile, read_flow
from scdp_flows.submission.work import WORKS
from scdp_flows.yaml_text import read_mapping, validated

if TYPE_CHECKING:
    from jobflow import Flow, Job

__all__ = ["cluster_template", "doctor", "status", "submit"]

_JOB_NAMES = {work: f"doctor {work}" for work in WORKS}
_LATEST_JOBS = 100
_DONE = "COMPLETED"

ClusterOption = Annotated[
    Path | None,
    typer.Option(help="Description of the cluster; `scdp cluster-template` writes one."),
]


def submit(
    flow: Annotated[Path, typer.Argument(help="YAML file: maker, fields, structures, arguments.")],
    cluster: ClusterOption = None,
    engine: Annotated[
        Engine | None, typer.Option(help="Another engine than the description says.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Run a flow here, or put it into the queue of a workflow engine."""
    described = _cluster(cluster, engine)
    if described.engine == "local":
        work = _flow_in(store, flow)
        _show_output(work.name, run_here(work, store))
        return
    if store is not None:
        raise SettingsError(
            f"--store {store} is for flows that run here; with the engine {described.engine} data "
            "goes where the settings of the workers say (STORE_PATH in ~/.scdp.yaml), or where the "
            "field store_path of the Maker says: leave --store out"
        )
    numbers = submit_flow(read_flow(flow), described)
    Console().print(f"submitted {len(numbers)} jobs to {described.engine}: {', '.join(numbers)}")


def _flow_in(store: Path | None, file: Path) -> Flow | Job:
    """Read a flow whose Makers use the stores in a folder; None leaves them as they are."""
    if store is None:
        return read_flow(file)
    described = validated(FlowFile, read_mapping(file), source=str(file))
    fields = {**described.fields, "store_path": as_path(store)}
    return described.model_copy(update={"fields": fields}).build(file.parent)


def _show_output(name: str, output: Any) -> None:
    """Show what can be read at a glance; the rest is in the stores."""
    found = jsanitize(output, strict=True)
    fields = found.items() if isinstance(found, dict) else [("output", found)]
    rows = [
        (field, _at_a_glance(value))
        for field, value in fields
        if value is not None and not field.startswith("@")
    ]
    show_table(f"{name}: done", ("field of the output", "value"), rows)


def _at_a_glance(value: object) -> object:
    if isinstance(value, list) and len(value) == 1:
        return _at_a_glance(value[0])
    return f"{len(value)} items" if isinstance(value, list | dict) else value


def status(
    cluster: ClusterOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs that are shown.")] = 20,
) -> None:
    """Show the latest jobs of the engine."""
    described = _cluster(cluster, None)
    title = f"latest jobs of {described.engine}"
    show_table(title, ("number", "job", "state", "worker"), states(described, limit))


def doctor(
    cluster: ClusterOption = None,
    programs: Annotated[
        list[str] | None, typer.Option("--program", help="Program that DFT workers need.")
    ] = None,
    modules: Annotated[
        list[str] | None, typer.Option("--module", help="Python module that DFT workers need.")
    ] = None,
    results: Annotated[
        bool, typer.Option("--results", help="Show what the latest jobs on the workers found.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Try stores, torch, GPUs and DFT programs, here or with a job on each kind of worker."""
    described = _cluster(cluster, None)
    if results:
        _show_results(described)
        return
    makers = {
        work: DoctorMaker(
            name=_JOB_NAMES[work],
            work=work,
            gpus=described.work[work].gpus if work in described.work else 0,
            programs=list(programs or ()) if work == "dft" else [],
            modules=list(modules or ()) if work == "dft" else [],
            store_path=as_path(store),
        )
        for work in WORKS
    }
    if described.engine != "local":
        numbers = [
            number for maker in makers.values() for number in submit_flow(maker.make(), described)
        ]
        Console().print(
            f"submitted {', '.join(numbers)}: one job for each kind of work; `scdp status` shows "
            "their states and `scdp doctor --results` what they found, with the same --cluster"
        )
        return
    if not _show_all([run_here(makers["dft"].make(), store)]):
        raise typer.Exit(PARTLY_FAILED)


def _show_results(described: Cluster) -> None:
    """Show the latest examinations of a cluster's workers, and which are not the latest asked."""
    found = outputs(described, list(_JOB_NAMES.values()))
    latest: dict[str, str] = {}
    for _, name, state, _ in states(described, _LATEST_JOBS):
        latest.setdefault(name, state)
    told = Console(stderr=True, soft_wrap=True)
    problems = []
    for work, name in _JOB_NAMES.items():
        state = latest.get(name, _DONE)
        if name not in found:
            problems.append(f"no answer yet for {work}: `scdp status` tells why")
        elif state != _DONE:
            problems.append(f"the latest job for {work} is {state}; what is shown is older")
    healthy = _show_all([Examination.model_validate(one) for one in found.values()])
    for problem in problems:
        told.print(problem, markup=False)
    if problems or not healthy:
        raise typer.Exit(PARTLY_FAILED)


def _show_all(found: list[Examination]) -> bool:
    """Show examinations; return whether everything works."""
    for one in found:
        rows = [(check.name, "ok" if check.ok else "FAILED", check.detail) for check in one.checks]
        title = f"{one.work} on {one.host}, {_age(one.examined_at)}"
        show_table(title, ("what", "result", "detail"), rows)
    return all(one.healthy for one in found)


def _age(moment: str | None) -> str:
    if moment is None:
        return "nobody knows when"
    then = datetime.fromisoformat(moment)
    minutes = max(0, round((datetime.now(UTC) - then).total_seconds() / 60))
    days, hours = minutes // 1440, minutes // 60
    age = f"{days} days" if days > 1 else f"{hours} h" if hours > 1 else f"{minutes} min"
    return f"{then:%Y-%m-%d %H:%M} UTC ({age} ago)"


def cluster_template() -> None:
    """Print the description of a cluster with CPU and GPU workers, to be edited."""
    typer.echo(TEMPLATE, nl=False)


def _cluster(path: Path | None, engine: Engine | None) -> Cluster:
    described = Cluster() if path is None else Cluster.read(path)
    return described if engine is None else described.model_copy(update={"engine": engine})
