from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.vasp.command import prepare, run_seeded
from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import read_record
from scdp_flows.dft.vasp.inputs import with_tag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure

PASS = [sys.executable, "-c", "pass"]


@pytest.fixture
def folder(write_inputs: Callable[..., Path], silicon: Structure) -> Path:
    return write_inputs(silicon)


@pytest.fixture
def source(finished: Path) -> EarlierRunSource:
    return EarlierRunSource((str(finished),))


def test_a_command_runs_in_a_seeded_folder(folder: Path, source: EarlierRunSource) -> None:
    code = (
        "import pathlib, sys; p = pathlib.Path; sys.exit("
        "3 if 'ICHARG = 1' in p('INCAR').read_text() and p('CHGCAR').exists() else 4)"
    )
    assert run_seeded([sys.executable, "-c", code], folder, source) == 3


def test_a_command_runs_where_nothing_can_be_seeded(
    tmp_path: Path, source: EarlierRunSource, caplog: pytest.LogCaptureFixture
) -> None:
    assert run_seeded(PASS, tmp_path, source) == 0
    assert "not seeded" in caplog.text


def test_a_run_is_audited(folder: Path, source: EarlierRunSource) -> None:
    code = "open('OUTCAR', 'w').write('NGXF=    24 NGYF=   24 NGZF=   24\\n ICHARG = 1 \\n')"
    run_seeded([sys.executable, "-c", code], folder, source)
    record = read_record(folder)
    assert record is not None
    assert record.audit is not None
    assert "not report" in str(record.audit.why_not_used)


def test_a_restart_finds_its_seed(folder: Path, source: EarlierRunSource) -> None:
    first = prepare(folder, source)
    assert prepare(folder, source) == first


@pytest.mark.parametrize(
    ("lose", "event"),
    [
        (lambda folder: (folder / "CHGCAR").unlink(), "CHGCAR was deleted"),
        (lambda folder: (folder / "CHGCAR").write_text("new"), "CHGCAR was overwritten"),
        (lambda folder: with_tag(folder, "ICHARG", "2"), "ICHARG was set to 2"),
    ],
    ids=["deleted", "overwritten", "tag"],
)
@pytest.mark.parametrize("reseed", [False, True], ids=["left", "seeded again"])
def test_a_lost_seed_is_noticed(
    folder: Path,
    source: EarlierRunSource,
    lose: Callable[[Path], object],
    event: str,
    reseed: bool,
) -> None:
    prepare(folder, source)
    lose(folder)
    doc = prepare(folder, source, reseed=reseed)
    assert event in doc.events[0]
    assert doc.status == ("seeded" if reseed else "left")
    assert read_record(folder) == doc
    if reseed:
        assert "ICHARG = 1" in (folder / "INCAR").read_text()


def test_what_was_left_stays_left(folder: Path) -> None:
    first = prepare(folder, EarlierRunSource())
    assert first.status == "left"
    assert prepare(folder, EarlierRunSource(), reseed=True) == first


def test_a_signal_to_stop_reaches_the_command(folder: Path) -> None:
    code = (
        "import sys; from scdp_flows.dft.vasp.command import _run; "
        "sys.exit(_run([sys.executable, '-c', "
        '\'import time; open("up", "w"); time.sleep(60)\'], sys.argv[1]))'
    )
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], env={**os.environ}) as process:
        for _ in range(600):
            if (folder / "up").exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
