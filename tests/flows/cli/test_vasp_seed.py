from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from scdp_flows.cli import app
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

INCAR = "NGXF = 24; NGYF = 24; NGZF = 24\n"
OUTCAR = """   VRHFIN =Si: s2p2
   TITEL  = PAW_PBE Si 01Jan2026
   LEXCH  = PE
  non local Contribution for L=           0  read in
  non local Contribution for L=           0  read in
  non local Contribution for L=           1  read in
  non local Contribution for L=           1  read in
"""


@pytest.fixture
def runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a finished run beside the folder of one that is about to begin, and go there."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    source = repository / "tests/data/vasp/Si2_24_CHGCAR.gz"
    shutil.copy(source, folder / "CHGCAR.gz")
    (folder / "OUTCAR").write_text(OUTCAR)
    here = tmp_path / "here"
    here.mkdir()
    from scdp_flows.io.compression import open_text

    with open_text(source) as stream:
        (here / "POSCAR").write_text("".join(next(stream) for _ in range(10)))
    (here / "INCAR").write_text(INCAR)
    (here / "POTCAR.spec").write_text("Si\n")
    monkeypatch.chdir(here)
    return folder.parent


def test_a_command_runs_seeded_and_keeps_its_exit_status(runs: Path, tmp_path: Path) -> None:
    code = "import sys; open('OUTCAR', 'w').write(' ICHARG = 1\\n'); sys.exit(7)"
    store = str(tmp_path / "store")
    arguments = [
        "vasp-seed",
        "--runs",
        str(runs),
        "--store",
        store,
        "--",
        sys.executable,
        "-c",
        code,
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 7
    assert "ICHARG = 1" in (tmp_path / "here" / "INCAR").read_text()
    audit = CliRunner().invoke(app, ["vasp-audit", ".", str(runs), "--store", store])
    assert audit.exit_code == 0
    assert "VASP used the grid None" in audit.output
    assert "no record" in audit.output


def test_two_sources_exclude_each_other(runs: Path) -> None:
    arguments = ["vasp-seed", "--runs", str(runs), "--model", "m", "--", "true"]
    result = CliRunner().invoke(app, arguments, standalone_mode=False)
    assert isinstance(result.exception, SettingsError) or "exclude" in result.output


def test_a_library_is_collected(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "library.json"
    for _ in range(2):
        result = CliRunner().invoke(
            app, ["vasp-harvest", str(runs / "one"), str(tmp_path), "-o", str(file)]
        )
        assert result.exit_code == 0
    assert "1 runs" in result.output
    assert file.exists()


def test_a_library_is_learned(runs: Path, tmp_path: Path) -> None:
    words = ["vasp-harvest", str(runs / "one"), "-o", str(tmp_path / "library.json"), "--train"]
    result = CliRunner().invoke(app, [*words, str(tmp_path / "model.safetensors")])
    assert result.exit_code == 0
    assert "errors (rms) of runs left out" in result.output
    assert (tmp_path / "model.safetensors").exists()
    assert CliRunner().invoke(app, [*words, "model.json"]).exit_code != 0
