"""The training process is started, logged, locked and ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import TrainingError
from scdp_flows.jobs import training_process
from scdp_flows.jobs.training_folder import MODEL_FILE, STOP_FILE, read_log
from scdp_flows.jobs.training_process import TrainingProcess, Watch, run_training

if TYPE_CHECKING:
    from pathlib import Path

_WRITE_MODEL = f"open('{MODEL_FILE}', 'w').write('weights')"


def _wait_for_output(folder: Path) -> None:
    while not read_log(folder):
        time.sleep(0.05)


def test_output_is_logged_and_shown(
    run_folder: Path, train_by: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    train_by(f"print('step 1'); {_WRITE_MODEL}")
    assert run_training(run_folder)
    assert (run_folder / MODEL_FILE).read_text() == "weights"
    assert read_log(run_folder) == "step 1\n"
    assert "step 1" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["print('odd'); sys.exit(0)", "sys.exit('odd')"])
def test_a_run_without_a_model_is_an_error_that_quotes_the_log(
    code: str, run_folder: Path, train_by: Any
) -> None:
    train_by(code)
    with pytest.raises(TrainingError, match=r"without a model\. train\.log ends with: odd"):
        run_training(run_folder)


def test_a_killed_process_is_an_error_that_says_so(run_folder: Path, train_by: Any) -> None:
    train_by("print('odd', flush=True); os.kill(os.getpid(), 9)")
    with pytest.raises(TrainingError, match="was killed, as the system does when memory runs out"):
        run_training(run_folder)


def test_an_old_request_to_stop_is_taken_back(run_folder: Path, train_by: Any) -> None:
    (run_folder / STOP_FILE).touch()
    train_by(f"if not os.path.exists('{STOP_FILE}'): {_WRITE_MODEL}")
    assert run_training(run_folder)


def test_a_launcher_stands_before_the_command(run_folder: Path, train_by: Any) -> None:
    train_by(f"open('{MODEL_FILE}', 'w').write(os.environ['COLOUR'])")
    run_training(run_folder, Watch(launcher=("env", "COLOUR=blue")))
    assert (run_folder / MODEL_FILE).read_text() == "blue"
    with pytest.raises(TrainingError, match=r"^srunn cannot be run.*correct the launcher"):
        run_training(run_folder, Watch(launcher=("srunn", "-n1")))


def test_a_folder_is_used_by_one_process_at_a_time(run_folder: Path) -> None:
    with (run_folder / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TrainingError, match="another process is training there"):
            run_training(run_folder, Watch(wait_s=0.1))


def test_closing_ends_the_process_and_its_children(run_folder: Path, train_by: Any) -> None:
    train_by(
        "import subprocess; subprocess.Popen(['sleep', '60']); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    process = TrainingProcess(str(run_folder))
    process.setup()
    running = process.run()
    _wait_for_output(run_folder)
    process.close()
    assert running.poll() == -signal.SIGTERM
    with (run_folder / "lock").open("a") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_children_of_a_dead_process_do_not_hold_the_folder(run_folder: Path, train_by: Any) -> None:
    train_by("import subprocess; subprocess.Popen(['sleep', '60']); sys.exit('died')")
    start = time.monotonic()
    with pytest.raises(TrainingError, match="died"):
        run_training(run_folder)
    assert time.monotonic() - start < 30


def test_after_the_death_of_its_parent_a_run_ends_and_the_next_can_start(
    run_folder: Path, train_by: Any
) -> None:
    talk = "while True: print('step', flush=True); time.sleep(0.1)"
    script = (
        "import sys; from pathlib import Path; from scdp_flows.jobs import training_process as t\n"
        f"t._command = lambda folder: [sys.executable, '-c', 'import time\\n' + {talk!r}]\n"
        f"t.run_training(Path({str(run_folder)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    _wait_for_output(run_folder)
    assert parent.poll() is None
    parent.kill()
    parent.wait()
    train_by(_WRITE_MODEL)
    assert run_training(run_folder, Watch(wait_s=20))


def test_a_process_that_ignores_the_request_to_end_is_killed(
    run_folder: Path, train_by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "_GRACE_S", 0.2)
    train_by(
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    process = TrainingProcess(str(run_folder))
    process.setup()
    running = process.run()
    _wait_for_output(run_folder)
    process.close()
    assert running.poll() == -signal.SIGKILL


def test_a_process_survives_json() -> None:
    from monty.json import MontyDecoder

    document = TrainingProcess("run", ["srun"], wait_s=2.0).as_dict()
    process = MontyDecoder().process_decoded(document)
    assert (process.folder, process.launcher, process.wait_s) == ("run", ["srun"], 2.0)
