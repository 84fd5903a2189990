"""Every command explains itself with an example."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scdp_flows import __version__

_COMMANDS = [
    "label", "survey", "ingest", "ingest-jobs", "ingest-mp", "train", "predict", "evaluate", "seed",
    "report", "demo",
]  # fmt: skip


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_ends_with_an_example(command: str, scdp: Any) -> None:
    result = scdp(command, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example:\s+scdp\s+{command}", result.stdout)


def test_all_commands_are_listed(scdp: Any) -> None:
    listing = scdp("--help").stdout
    assert all(re.search(rf"\b{command}\b", listing) for command in [*_COMMANDS, "model"])


def test_the_version_is_told(scdp: Any) -> None:
    assert scdp("--version").stdout == f"scdp-flows {__version__}\n"


def test_an_unknown_command_is_an_error(scdp: Any) -> None:
    result = scdp("predcit")
    assert result.exit_code == 2
    assert "predcit" in result.stderr
