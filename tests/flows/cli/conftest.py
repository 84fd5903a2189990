"""The command line as users call it, without a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from scdp_flows.cli import app
from scdp_flows.jobs.label import LabelMaker

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule

Command = Callable[..., Result]


@pytest.fixture
def scdp(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``scdp`` with arguments and give exit code, standard output and standard error."""
    # Starting processes would take longer than what they do.
    monkeypatch.setenv("SCDP_N_PROCESSES", "1")

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def water_file(tmp_path: Path, water: Molecule) -> Path:
    """Give an xyz file of a water molecule."""
    water.to(str(tmp_path / "water.xyz"))
    return tmp_path / "water.xyz"


@pytest.fixture
def store(tmp_path: Path, gaussian_code: Any, molecules: list[Molecule]) -> Path:
    """Give a store with six labels, three of them tagged 'few'."""
    maker = LabelMaker(code=gaussian_code, store_path=str(tmp_path / "store"))
    LabelMaker.make.original(maker, molecules)  # type: ignore[attr-defined]
    LabelMaker.make.original(maker, molecules[:3], tags=["few"])  # type: ignore[attr-defined]
    return tmp_path / "store"
