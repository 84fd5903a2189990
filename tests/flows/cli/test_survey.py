"""The survey from the command line."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_and_a_file(scdp: Any, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(
        repository / "tests" / "data" / "vasp" / "Si_static_OUTCAR.gz", tmp_path / "run/OUTCAR.gz"
    )
    result = scdp("survey", tmp_path / "run", "--json", tmp_path / "x.json")
    assert result.exit_code == 0
    assert "PAW_PBE Si 05Jan2001" in result.stdout
    content = json.loads((tmp_path / "x.json").read_text())
    assert content["groups"][0]["n_with_density"] == 0
    assert "about 0.0173 core hours in all" in result.stdout


def test_a_store(scdp: Any, tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    with SqliteStore(file, "outputs", key="uuid") as store:
        store.update([{"uuid": "1", "output": {"dir_name": str(tmp_path)}}])
    options = ["type=sqlite", f"path={file}", "collection_name=outputs", "key=uuid"]
    result = scdp("survey", *(word for option in options for word in ("--job-docs", option)))
    assert result.exit_code == 0, result.stderr
    assert "0 of 1 runs hold a usable density" in result.stdout
    settings = {"JOB_STORE": {"docs_store": dict(option.split("=", 1) for option in options)}}
    (tmp_path / "jobflow.yaml").write_text(json.dumps(settings))
    assert scdp("survey", tmp_path / "jobflow.yaml").stdout == result.stdout


def test_one_place_is_needed(scdp: Any) -> None:
    result = scdp("survey")
    assert result.exit_code == 2
    assert "either a folder or jobflow.yaml" in result.stderr
