"""Take densities of other programs into the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from jobflow import Job

from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.errors import SettingsError
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_job_settings import JobStoreSpecs, read_job_store_settings
from scdp_flows.jobs.ingest_job_store import IngestJobStoreMaker
from scdp_flows.jobs.ingest_materials_project import IngestMaterialsProjectMaker
from scdp_flows.schemas.outputs import LabelOutput

__all__ = ["ingest", "ingest_jobs", "ingest_mp"]

KindOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What the densities are, as NAME=VALUE: electrons (valence or all), pseudopotential, "
        "functional, basis, spin, code. What is left out is read from the OUTCAR beside."
    ),
]
TagOption = Annotated[list[str] | None, typer.Option(help="Free label; may be repeated.")]


def ingest(
    files: Annotated[
        list[str], typer.Argument(help="Files, folders, tar or zip archives, or patterns.")
    ],
    kind: KindOption = None,
    store: StoreOption = None,
    tag: TagOption = None,
    format: Annotated[  # noqa: A002 - the word users expect
        str | None, typer.Option(help="Format of the files; default: judged from their content.")
    ] = None,
    doubtful: Annotated[bool, typer.Option(help="Take densities that look wrong, too.")] = False,
) -> None:
    """Read files of densities into the store; the same content is stored once."""
    maker = IngestMaker(
        kind=_kind(kind), format=format, doubtful=doubtful, store_path=as_path(store)
    )
    _run(maker.make(files, tags=tag or ()), store)


def ingest_jobs(
    settings: Annotated[
        Path | None, typer.Argument(help="The jobflow.yaml that names the store of jobs.")
    ] = None,
    job_docs: Annotated[
        list[str] | None,
        typer.Option(
            help="Store of job documents in its place, as NAME=VALUE: type=MongoStore, database, "
            "collection_name, host, ...; densities are then read from the folders of the runs."
        ),
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option(help="Query of the job documents, as FIELD=VALUE.")
    ] = None,
    kind: KindOption = None,
    store: StoreOption = None,
    tag: TagOption = None,
) -> None:
    """Take the densities of finished runs out of an atomate2 or jobflow store."""
    if (settings is None) == (not job_docs):
        raise SettingsError("give either jobflow.yaml or --job-docs")
    if settings is not None:
        specs = read_job_store_settings(settings)
    else:
        specs = JobStoreSpecs(parse_pairs(job_docs, "--job-docs"), None)
    maker = IngestJobStoreMaker(
        kind=_kind(kind),
        job_docs=specs.job_docs,
        data=specs.data,
        query=parse_pairs(query, "--query"),
        store_path=as_path(store),
    )
    _run(maker.make(tags=tag or ()), store)


def ingest_mp(
    materials: Annotated[list[str], typer.Argument(help="Identifiers, such as mp-149.")],
    kind: KindOption = None,
    store: StoreOption = None,
    tag: TagOption = None,
) -> None:
    """Fetch densities of the Materials Project; MP_API_KEY must hold your key."""
    maker = IngestMaterialsProjectMaker(kind=_kind(kind), store_path=as_path(store))
    _run(maker.make(materials, tags=tag or ()), store)


def _kind(pairs: Sequence[str] | None) -> dict[str, str]:
    return {name: str(value) for name, value in parse_pairs(pairs, "--kind").items()}


def _run(work: Job, store: Path | None) -> None:
    """Run a job and show what became of the densities."""
    output: LabelOutput = run_here(work, store)
    n_refused = output.n_failed - output.n_quarantined
    counts = (output.n_new, output.n_reused, output.n_quarantined, n_refused)
    show_table("densities", ("new", "stored before", "quarantined", "refused"), [counts])
    if output.n_quarantined:
        typer.echo(
            "What is quarantined is readable and looks wrong; it is not in the store. "
            "'scdp dataset offers --status quarantined' lists it, 'scdp dataset release' lets "
            "single densities in."
        )
    show_failures(output.failed)
