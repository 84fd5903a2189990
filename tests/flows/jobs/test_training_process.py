"""The training process is watched, corrected, locked and ended."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import TrainingError
from scdp_flows.jobs import training_process
from scdp_flows.jobs.training_process import (
    LOG_FILE,
    MODEL_FILE,
    NonFiniteLossHandler,
    TrainingProcess,
    run_training,
)

if TYPE_CHECKING:
    from pathlib import Path

_WRITE_MODEL = f"open('{MODEL_FILE}', 'w').write('weights')"
_RATE = "json.load(open('run.json'))['training']['learning_rate']"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder as the training job prepares it."""
    (tmp_path / "run.json").write_text(json.dumps({"training": {"learning_rate": 0.01}}))
    (tmp_path / "last.ckpt").write_text("state")
    return tmp_path


def _train_by(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few lines of Python stand for the training."""
    whole = f"import json, os, sys, time; os.chdir({str(folder)!r})\n{code}"
    monkeypatch.setattr(training_process, "_command", lambda _folder: [sys.executable, "-c", whole])


def test_output_is_logged_and_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _train_by(f"print('step 1'); {_WRITE_MODEL}", folder, monkeypatch)
    run_training(folder)
    assert (folder / MODEL_FILE).read_text() == "weights"
    assert (folder / LOG_FILE).read_text() == "step 1\n"
    assert "step 1" in capsys.readouterr().err


def test_a_diverged_run_starts_again_with_a_lower_rate(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"if {_RATE} > 2e-3: sys.exit('non-finite loss at step 3')\n{_WRITE_MODEL}"
    _train_by(code, folder, monkeypatch)
    run_training(folder)
    document = json.loads((folder / "run.json").read_text())
    assert document["training"]["learning_rate"] == pytest.approx(1e-3)
    assert not (folder / "last.ckpt").exists()
    assert "non-finite" in (folder / f"{LOG_FILE}.0").read_text()


def test_a_run_that_always_diverges_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train_by("sys.exit('non-finite loss at step 3')", folder, monkeypatch)
    with pytest.raises(TrainingError, match=r"non-finite loss at step 3"):
        run_training(folder, n_corrections=2)
    assert len(list(folder.glob(f"{LOG_FILE}*"))) == 3


@pytest.mark.parametrize("code", ["print('odd'); sys.exit(0)", "sys.exit('odd')"])
def test_a_run_without_a_model_is_an_error_that_quotes_the_log(
    code: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train_by(code, folder, monkeypatch)
    with pytest.raises(TrainingError, match=r"train\.log ends with: odd"):
        run_training(folder)


def test_an_error_of_an_earlier_attempt_is_no_error_now(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / LOG_FILE).write_text("non-finite loss at step 3")
    _train_by(_WRITE_MODEL, folder, monkeypatch)
    run_training(folder)
    assert json.loads((folder / "run.json").read_text())["training"]["learning_rate"] == 0.01


def test_a_folder_is_used_by_one_process_at_a_time(folder: Path) -> None:
    with (folder / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TrainingError, match="another process is training there"):
            run_training(folder, wait_s=0.1)


def test_closing_ends_the_process_and_its_children(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train_by(
        "import subprocess; subprocess.Popen(['sleep', '60']); print('up', flush=True)\n"
        "time.sleep(60)",
        folder,
        monkeypatch,
    )
    process = TrainingProcess(str(folder))
    process.setup()
    running = process.run()
    while not (folder / LOG_FILE).is_file() or not (folder / LOG_FILE).read_text():
        time.sleep(0.05)
    process.close()
    assert running.poll() == -signal.SIGTERM
    with (folder / "lock").open("a") as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_after_the_death_of_its_parent_a_run_ends_and_the_next_can_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = "while True: print('step', flush=True); time.sleep(0.1)"
    script = (
        "import sys; from pathlib import Path; from scdp_flows.jobs import training_process as t\n"
        f"t._command = lambda folder: [sys.executable, '-c', 'import time\\n' + {talk!r}]\n"
        f"t.run_training(Path({str(folder)!r}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    while not (folder / LOG_FILE).is_file() or not (folder / LOG_FILE).read_text():
        assert parent.poll() is None
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    _train_by(_WRITE_MODEL, folder, monkeypatch)
    run_training(folder, wait_s=20)
    assert (folder / MODEL_FILE).is_file()


def test_handler_and_process_survive_json() -> None:
    from monty.json import MontyDecoder

    decoder = MontyDecoder()
    handler = decoder.process_decoded(NonFiniteLossHandler(3).as_dict())
    process = decoder.process_decoded(TrainingProcess("run", wait_s=2.0).as_dict())
    assert handler.max_num_corrections == 3
    assert (process.folder, process.wait_s) == ("run", 2.0)
