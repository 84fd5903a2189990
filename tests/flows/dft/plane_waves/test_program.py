"""Programs in folders of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.plane_waves.program import execute, require_program
from scdp_flows.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_a_missing_program_is_named(toy: EspressoSettings) -> None:
    with pytest.raises(MissingDependencyError, match="apt-get install some-package"):
        require_program(replace(toy, command="no-such-pw.x"), "some-package")
    assert require_program(replace(toy, command="sh -c x"), "") == ["sh", "-c", "x"]


def test_processor_time_is_that_of_the_program(tmp_path: Path) -> None:
    work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done"
    busy = execute(["sh", "-c", work], tmp_path)
    idle = execute(["sleep", "0.2"], tmp_path)
    assert busy.text == "done\n"
    assert busy.cpu_s > 3 * idle.cpu_s
    assert idle.wall_s > 0.2 > idle.cpu_s


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo no library >&2; exit 3", "exit status 3: no library"), ("kill -9 $$", "SIGKILL")],
    ids=["status", "signal"],
)
def test_the_system_tells_why_a_program_ended(tmp_path: Path, script: str, said: str) -> None:
    found = execute(["sh", "-c", script], tmp_path)
    assert said in str(found.explained("the output ends early"))
    assert found.explained(None) is None
    assert execute(["true"], tmp_path).explained("unfinished") == "unfinished"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
def test_a_program_ends_with_the_worker_that_started_it(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from scdp_flows.dft.plane_waves.program import execute\n"
        "execute(['sh', '-c', 'echo $$ > pid; mv pid started; sleep 60'], Path('.'))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    started = tmp_path / "started"
    _wait_until(started.is_file)
    worker.terminate()
    worker.wait()
    program = int(started.read_text())
    _wait_until(lambda: not _runs(program))


def _wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("waited for a minute")


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
