"""Foreseen errors are one line, others are left alone, and nothing stays changed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import warnings

import pytest
import typer
from typer.testing import CliRunner

from scdp_flows.cli.group import ERROR_CODE, INTERRUPTED, ScdpGroup
from scdp_flows.errors import StructureError
from scdp_models.errors import BasisError

_ERRORS = {"ours": StructureError, "models": BasisError, "bug": ValueError, "other": KeyError}


@pytest.fixture
def small_app() -> typer.Typer:
    """Give an application whose command fails or talks as told."""
    app = typer.Typer(cls=ScdpGroup, pretty_exceptions_enable=False)

    @app.callback()
    def main(debug: bool = False) -> None:
        """Do nothing."""

    @app.command()
    def fail(how: str) -> None:
        raise _ERRORS[how]("atoms [1] and [2] overlap")

    @app.command()
    def talk() -> None:
        logging.getLogger("scdp_flows.somewhere").info("half done")
        typer.echo(warnings.formatwarning("bases differ", UserWarning, "file.py", 1))

    return app


@pytest.mark.parametrize("how", ["ours", "models"])
def test_a_foreseen_error_is_one_line(how: str, small_app: typer.Typer) -> None:
    result = CliRunner().invoke(small_app, ["fail", how])
    assert result.exit_code == ERROR_CODE == 2
    assert result.stderr == "error: atoms [1] and [2] overlap\n"
    assert result.stdout == ""


@pytest.mark.parametrize(("how", "error"), [("bug", ValueError), ("other", KeyError)])
def test_a_bug_shows_where_it_is(how: str, error: type, small_app: typer.Typer) -> None:
    result = CliRunner().invoke(small_app, ["fail", how])
    assert result.exit_code == 1
    assert isinstance(result.exception, error)


def test_on_request_every_error_shows_where_it_is(small_app: typer.Typer) -> None:
    result = CliRunner().invoke(small_app, ["--debug", "fail", "ours"])
    assert isinstance(result.exception, StructureError)


def test_messages_go_to_standard_error_for_the_time_of_a_command(small_app: typer.Typer) -> None:
    before = warnings.formatwarning
    result = CliRunner().invoke(small_app, ["talk"])
    assert result.stdout == "warning: bases differ\n\n"
    assert result.stderr == "half done\n"
    assert warnings.formatwarning is before
    assert logging.getLogger("scdp_flows").handlers == []


def test_the_settings_say_how_much_is_told(
    small_app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_LOG_LEVEL", "WARNING")
    assert CliRunner().invoke(small_app, ["talk"]).stderr == ""


def test_impossible_settings_are_one_line_too(
    small_app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_LOG_LEVEL", "LOUD")
    result = CliRunner().invoke(small_app, ["talk"])
    assert result.exit_code == ERROR_CODE
    assert "LOG_LEVEL" in result.stderr
    assert not logging.getLogger("scdp_flows").handlers


_SLEEPERS = """
import time, typer
from scdp_flows.cli.group import ScdpGroup
from scdp_flows.parallel import map_parallel

app = typer.Typer(cls=ScdpGroup)

@app.callback()
def main(debug: bool = False) -> None: ...

@app.command()
def sleep() -> None:
    for _ in map_parallel(time.sleep, [(0.01,)] * 4 + [(60,)] * 4, n_processes=3):
        print("up", flush=True)

app(["sleep"])
"""


def test_an_interrupt_from_the_terminal_is_one_line() -> None:
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _SLEEPERS]
    with subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        os.killpg(running.pid, signal.SIGINT)  # a terminal sends it to the workers, too
        _, told = running.communicate(timeout=30)
    assert running.returncode == INTERRUPTED
    assert told == "stopped; what was finished is stored, and the same command goes on\n"
