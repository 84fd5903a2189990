"""Write what a benchmark measured to ``benchmarks/results/<name>.json``, one row per figure."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Row", "command", "commit", "machine", "make_row", "write_results"]

_FOLDER = Path(__file__).parent / "results"


class Row(TypedDict):
    """One measured figure.

    Attributes
    ----------
    name, value, unit
        What was measured.
    reference
        What it is compared with, measured in the same run or published; None where nothing is.
    target
        What it should be at least or at most, in words; empty where there is no target.
    command, commit, machine, date
        How to measure it again, and where and when it was.
    """

    name: str
    value: float
    unit: str
    reference: float | str | None
    target: str
    command: str
    commit: str
    machine: str
    date: str


def make_row(
    name: str,
    value: float,
    unit: str,
    *,
    reference: float | str | None = None,
    target: str = "",
) -> Row:
    """Return a row with the command, commit and machine of this process filled in."""
    return Row(
        name=name,
        value=float(value),
        unit=unit,
        reference=reference,
        target=target,
        command=command(),
        commit=commit(),
        machine=machine(),
        date=datetime.now(UTC).date().isoformat(),
    )


def command() -> str:
    """Return the command line of this process, with the script as seen from the repository."""
    script = Path(sys.argv[0]).resolve()
    root = _FOLDER.parents[1]
    shown = script.relative_to(root) if script.is_relative_to(root) else script.name
    return shlex.join(["python", str(shown), *sys.argv[1:]])


def commit() -> str:
    """Return the abbreviated commit of the checkout, ``+`` appended where files were changed."""

    def git(*arguments: str) -> str:
        result = subprocess.run(  # noqa: S603
            ["git", "-C", str(_FOLDER.parent), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/models", ":/scdp_flows")
    return (git("rev-parse", "--short=10", "HEAD") or "unknown") + ("+" if changed else "")


def machine() -> str:
    """Describe the processor, without naming the computer."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        if names:
            model = f"{len(names)} x {names[0]}"
    return f"{model}, {platform.system()}, Python {platform.python_version()}"


def write_results(name: str, rows: Iterable[Row]) -> Path:
    """Write the rows of one benchmark, over those of its last run.

    Parameters
    ----------
    name
        File name without extension.
    rows
        From :func:`make_row`.

    Returns
    -------
    pathlib.Path
        The file written.
    """
    _FOLDER.mkdir(parents=True, exist_ok=True)
    path = _FOLDER / f"{name}.json"
    path.write_text(json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
