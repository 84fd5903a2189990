"""Reporting from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def test_what_the_store_holds_is_reported(
    scdp: Any, store: Path, instant_training: list[Path], tmp_path: Path
) -> None:
    scdp("train", "--store", store, "--name", "mine")
    result = scdp("report", "--store", store, "-o", tmp_path / "out", "--dataset", "mine")
    assert result.exit_code == 0, result.stderr
    assert str(tmp_path / "out" / "report.html") in result.stdout
    numbers = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(numbers["evaluations"]) == 2


def test_an_empty_store_is_an_error(scdp: Any, store: Path, tmp_path: Path) -> None:
    result = scdp("report", "--store", store, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "no evaluations and no restarts" in result.stderr
    assert not (tmp_path / "out").exists()
