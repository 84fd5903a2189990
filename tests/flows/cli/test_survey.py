"""The survey from the command line."""

from __future__ import annotations

import json
import shutil
import tarfile
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


def test_archives_are_counted_and_not_opened(scdp: Any, repository: Path, tmp_path: Path) -> None:
    real = repository / "tests" / "data" / "vasp" / "Si2_24_CHGCAR.gz"
    (tmp_path / "runs" / "folder.tar").mkdir(parents=True)
    with tarfile.open(tmp_path / "runs" / "000xxx.tar", "w") as archive:
        archive.add(real, "000001.CHGCAR.gz")
    (tmp_path / "runs" / "text.zip").write_text("none")
    result = scdp("survey", tmp_path / "runs", "--json", tmp_path / "x.json")
    assert result.exit_code == 0, result.stderr
    assert "No folder holds the log of a run." in result.stdout
    assert "Archives were not opened" in result.stdout
    assert json.loads((tmp_path / "x.json").read_text())["other_densities"] == {"archive": 1}


def test_one_place_is_needed(scdp: Any) -> None:
    result = scdp("survey")
    assert result.exit_code == 2
    assert "either a folder or jobflow.yaml" in result.stderr
