"""Run the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the report and the stores.")
    ] = Path("demo_output"),
    small: Annotated[
        bool, typer.Option("--small", help="A minute's version, which hardly trains.")
    ] = False,
) -> None:
    """Label ethanol, train on it, predict, and restart PySCF from the predictions."""
    from scdp_flows.demo.run import run_demo

    run_demo(output, small=small)
