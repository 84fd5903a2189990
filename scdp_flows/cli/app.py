"""Collect the commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from scdp_flows import __version__
from scdp_flows.cli.dataset import dataset
from scdp_flows.cli.demo import demo
from scdp_flows.cli.evaluate import evaluate
from scdp_flows.cli.group import ScdpGroup
from scdp_flows.cli.ingest import ingest, ingest_jobs, ingest_mp
from scdp_flows.cli.label import label
from scdp_flows.cli.model import model
from scdp_flows.cli.predict import predict
from scdp_flows.cli.report import report
from scdp_flows.cli.seed import seed
from scdp_flows.cli.store import store
from scdp_flows.cli.submit import cluster_template, doctor, status, submit
from scdp_flows.cli.survey import survey
from scdp_flows.cli.train import train
from scdp_flows.cli.vasp_seed import vasp_audit, vasp_harvest, vasp_seed

__all__ = ["app"]

app = typer.Typer(
    name="scdp",
    cls=ScdpGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_EXAMPLES: dict[Callable[..., None], str] = {
    label: "scdp label molecules.xyz --store data -j 2 --tag mine",
    ingest: "scdp ingest 'runs/*/CHGCAR.gz' --store data --kind pseudopotential=paw-pbe-54 "
    "--kind functional=PBE --kind basis=520eV --kind code=vasp",
    ingest_jobs: "scdp ingest-jobs jobflow.yaml --query name=static --store data",
    ingest_mp: "scdp ingest-mp mp-149 mp-2534 --store data",
    survey: "scdp survey runs --json survey.json",
    train: "scdp train --store data --name mine --select tags=mine --set n_steps=2000",
    predict: "scdp predict molecule.xyz --format cube -o densities",
    evaluate: "scdp evaluate --store data --model mine --dataset mine",
    seed: "scdp seed molecules.xyz --store data --model small-molecules-pbe-gth",
    vasp_seed: "scdp vasp-seed --runs finished -- mpirun vasp_std",
    vasp_audit: "scdp vasp-audit runs/* --store data",
    vasp_harvest: "scdp vasp-harvest finished/* -o occupancies.json",
    report: "scdp report --store data -o report",
    demo: "scdp demo --output demo_output",
    submit: "scdp submit flow.yaml --cluster cluster.yaml",
    status: "scdp status --cluster cluster.yaml",
    doctor: "scdp doctor --cluster cluster.yaml --program pw.x",
    cluster_template: "scdp cluster-template > cluster.yaml",
}
for _command, _example in _EXAMPLES.items():
    app.command(
        _command.__name__.replace("_", "-"),
        epilog=f"Example: {_example}",
        no_args_is_help=_command in {label, ingest, predict},
    )(_command)
app.add_typer(dataset, name="dataset")
app.add_typer(model, name="model")
app.add_typer(store, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scdp-flows {__version__}")
        raise typer.Exit


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Label, train, predict and reuse charge densities."""
