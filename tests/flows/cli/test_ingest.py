"""Ingesting from the command line."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from scdp_flows.io.base import write_density
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pymatgen.core import Molecule

_KIND = ["--kind", "pseudopotential=gth-pbe", "--kind", "functional=PBE", "--kind", "basis=520eV"]


def test_files_are_stored_and_bad_ones_listed(
    scdp: Any, gaussian_code: Any, water: Molecule, tmp_path: Path
) -> None:
    write_density(gaussian_code.label(water).density, tmp_path / "water.cube")
    (tmp_path / "a.cube").write_text("nothing\n")
    result = scdp("ingest", tmp_path / "*.cube", "--store", tmp_path / "s", *_KIND, "--doubtful")
    assert result.exit_code == 1
    assert "a.cube" in result.stderr
    with open_stores(tmp_path / "s") as stores:
        (doc,) = stores.densities.query()
    assert doc.kind["basis"] == "520eV"
    assert doc.kind["electrons"] == "valence"


def test_an_incomplete_kind_is_explained(
    scdp: Any, gaussian_code: Any, water: Molecule, tmp_path: Path
) -> None:
    write_density(gaussian_code.label(water).density, tmp_path / "x.cube")
    result = scdp("ingest", tmp_path / "x.cube", "--kind", "functional=PBE")
    assert result.exit_code == 2
    assert "pseudopotential, basis missing" in result.stderr


def test_a_job_store_without_runs_is_explained(scdp: Any, tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    SqliteStore(file, "outputs", key="uuid").connect()
    options = ["type=sqlite", f"path={file}", "collection_name=outputs", "key=uuid"]
    words = [word for option in options for word in ("--job-docs", option)]
    result = scdp("ingest-jobs", *words, "--query", "name=static")
    assert result.exit_code == 2
    assert "finds no run" in result.stderr
    settings = {"docs_store": dict(option.split("=", 1) for option in options)}
    (tmp_path / "jobflow.yaml").write_text(json.dumps(settings))
    assert "finds no run" in scdp("ingest-jobs", tmp_path / "jobflow.yaml").stderr
    for both_or_none in ([], [tmp_path / "jobflow.yaml", *words]):
        assert "either jobflow.yaml or --job-docs" in scdp("ingest-jobs", *both_or_none).stderr


def test_the_materials_project_needs_its_package(
    scdp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    result = scdp("ingest-mp", "mp-149")
    assert result.exit_code == 2
    assert "scdp-flows[mp]" in result.stderr
