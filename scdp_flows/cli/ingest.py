"""Take densities of other programs into the store."""

from __future__ import annotations

from typing import Annotated

import typer

from scdp_flows.cli.options import StoreOption, as_path, parse_pairs
from scdp_flows.cli.running import run_here, show_failures, show_table
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.kind import DensityKind

__all__ = ["ingest"]

_DEFAULT_KIND = {"electrons": "valence"}


def ingest(
    files: Annotated[list[str], typer.Argument(help="CHGCAR or cube files, or patterns.")],
    kind: Annotated[
        list[str],
        typer.Option(
            help="What the densities are, as NAME=VALUE: electrons (valence or all), "
            "pseudopotential, functional, basis, spin, code."
        ),
    ],
    store: StoreOption = None,
    tag: Annotated[list[str] | None, typer.Option(help="Free label; may be repeated.")] = None,
    format: Annotated[  # noqa: A002 - the word users expect
        str | None, typer.Option(help="Format of the files; default: judged from their content.")
    ] = None,
    doubtful: Annotated[bool, typer.Option(help="Take densities that look wrong, too.")] = False,
) -> None:
    """Read files of densities into the store; the same content is stored once."""
    given = {name: str(value) for name, value in parse_pairs(kind, "--kind").items()}
    checked = DensityKind.from_dict(_DEFAULT_KIND | given)
    maker = IngestMaker(
        kind=checked.as_dict(), format=format, doubtful=doubtful, store_path=as_path(store)
    )
    output = run_here(maker.make(files, tags=tag or ()), store)
    counts = (output.n_new, output.n_reused, len(output.failed))
    show_table("densities", ("new", "stored before", "failed"), [counts])
    show_failures(output.failed)
