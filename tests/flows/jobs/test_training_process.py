"""The training process is started, logged, locked and ended, and its failures are overcome."""

from __future__ import annotations

import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from scdp_flows.errors import TrainingError
from scdp_flows.jobs import training_process
from scdp_flows.jobs.train import TrainMaker, _Run
from scdp_flows.jobs.training_folder import (
    MODEL_FILE,
    STOP_FILE,
    read_corrections,
    read_log,
    read_metrics,
)
from scdp_flows.jobs.training_handlers import HangHandler, WallTimeHandler
from scdp_flows.jobs.training_process import TrainingProcess, Watch, run_training
from scdp_flows.jobs.wall_time import TimeLimit
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.schemas.training import ModelDoc

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
    (run_folder / MODEL_FILE).unlink()
    with pytest.raises(TrainingError, match=r"^srunn cannot be run.*correct the launcher"):
        run_training(run_folder, Watch(launcher=("srunn", "-n1")))


def test_a_folder_is_used_by_one_process_at_a_time(run_folder: Path) -> None:
    soon = TimeLimit(time.time() - 10, time.time() + 1.5)
    with (run_folder / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not run_training(run_folder, Watch(time_limit=soon))  # a further job waits on
        assert time.time() > soon.stop_at


def test_who_waited_takes_the_model_that_was_made(run_folder: Path, train_by: Any) -> None:
    train_by("sys.exit('was started')")
    other = (run_folder / "lock").open("a")
    fcntl.flock(other, fcntl.LOCK_EX)

    def finish(_: Event) -> None:
        time.sleep(0.5)
        (run_folder / MODEL_FILE).write_text("weights")
        other.close()

    with _meanwhile(finish):
        assert run_training(run_folder)
    assert not read_log(run_folder)


def test_closing_ends_the_process_and_its_children(run_folder: Path, train_by: Any) -> None:
    train_by(
        "import subprocess; subprocess.Popen(['sleep', '60']); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    process = TrainingProcess(str(run_folder))
    assert process.lock()
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
    assert run_training(run_folder)


def test_a_process_that_ignores_the_request_to_end_is_killed(
    run_folder: Path, train_by: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_process, "_GRACE_S", 0.2)
    train_by(
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\n"
        "time.sleep(60)"
    )
    process = TrainingProcess(str(run_folder))
    assert process.lock()
    running = process.run()
    _wait_for_output(run_folder)
    process.close()
    assert running.poll() == -signal.SIGKILL


def test_a_process_survives_json() -> None:
    from monty.json import MontyDecoder

    document = TrainingProcess("run", ["srun"]).as_dict()
    process = MontyDecoder().process_decoded(document)
    assert (process.folder, process.launcher) == ("run", ["srun"])


def _prepared(maker: TrainMaker, dataset: DatasetDoc) -> Path:
    """Return the folder of a run that has not begun."""
    with maker.open_stores() as stores:
        run = _Run(maker, dataset, stores, None)
        run._prepare()
        return run.folder


@contextmanager
def _meanwhile(act: Callable[[Event], None]) -> Iterator[None]:
    over = Event()
    thread = Thread(target=act, args=(over,), daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(10)


def _wait_for_rows(folder: Path, n_rows: int, over: Event) -> None:
    while len(read_metrics(folder)) < n_rows and not over.wait(0.01):
        pass


def _only(kind: type, handlers: list[Any]) -> Any:
    (found,) = (handler for handler in handlers if isinstance(handler, kind))
    return found


# The shell writes its number and then becomes the training process.
_WITH_NUMBER = ["sh", "-c", 'echo $$ > "$0"; exec "$@"']


@pytest.mark.slow
def test_a_run_that_diverges_hangs_and_runs_out_of_time_ends_like_an_undisturbed_one(
    maker: TrainMaker,
    dataset: DatasetDoc,
    run_flow: Any,
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scdp_models.training.run import run

    settings = {**maker.training, "n_steps": 120, "steps_per_round": 4, "learning_rate": 2.0}
    calm = replace(maker, training={**settings, "learning_rate": 0.2})
    undisturbed = run(_prepared(calm, dataset)).model
    assert undisturbed is not None

    handlers: list[Any] = []
    fresh = Watch.handlers

    def recorded(watch: Watch) -> list[Any]:
        handlers[:] = fresh(watch)
        return list(handlers)

    monkeypatch.setattr(Watch, "handlers", recorded)
    for name, value in {"_POLL_S": 0.1, "_POLLS_PER_CHECK": 1, "_GRACE_S": 0.2}.items():
        monkeypatch.setattr(training_process, name, value)
    number = tmp_path / "pid"
    maker = replace(
        maker, training=settings, wall_time_s=9000.0, launcher=[*_WITH_NUMBER, str(number)]
    )
    folder = _prepared(maker, dataset)
    stop_after = int(rng.integers(3, 10))

    def disturb(over: Event) -> None:
        while not (folder / "train.log.0").exists() and not over.wait(0.01):
            pass  # the first attempt diverges by itself
        _wait_for_rows(folder, stop_after, over)
        os.kill(int(number.read_text()), signal.SIGSTOP)
        _only(HangHandler, handlers).hang_s = 0.5
        while not (folder / "train.log.1").exists() and not over.wait(0.01):
            pass
        _only(HangHandler, handlers).hang_s = 900.0
        _wait_for_rows(folder, 14, over)
        _only(WallTimeHandler, handlers).stop_at = time.time()
        while not (folder / "train.log.2").exists() and not over.wait(0.01):
            pass

    with _meanwhile(disturb):
        doc: ModelDoc = run_flow(maker.make(dataset.dataset_id))
    with open_stores(maker.store_path) as stores:
        doc = stores.models.get("tiny")
        found = load_file(stores.models.fetch("tiny", tmp_path))
    names = ["NonFiniteLossHandler", "HangHandler", "WallTimeHandler"]
    assert [one.handler for one in doc.corrections] == names
    assert [row["step"] for row in doc.history] == list(range(4, 121, 4))
    for name, expected in load_file(undisturbed).items():
        np.testing.assert_array_equal(found[name], expected)


def _memory(number: int) -> int:
    """Return the private memory of a process, bytes."""
    (line,) = re.findall(r"VmData:\s*(\d+) kB", Path(f"/proc/{number}/status").read_text())
    return 1024 * int(line)


@pytest.mark.slow
def test_a_batch_that_does_not_fit_into_memory_is_cut(
    maker: TrainMaker, dataset: DatasetDoc, tmp_path: Path
) -> None:
    number = tmp_path / "pid"
    network = {**maker.network, "n_channels": 64, "lmax": 2}
    settings = {**maker.training, "n_steps": 1, "batch_size": 512}
    maker = replace(maker, network=network, training=settings)
    folder = _prepared(maker, dataset)

    def limit(over: Event) -> None:
        allowed = 0
        while not over.wait(0.02):
            # Between two attempts there is no process, and for a moment no number.
            with suppress(OSError, ValueError):
                process = int(number.read_text())
                if allowed == 0 and read_log(folder):  # it is about to begin its first step
                    allowed = _memory(process) + 120 * 2**20
                if allowed:
                    resource.prlimit(process, resource.RLIMIT_DATA, (allowed, allowed))

    with _meanwhile(limit):
        assert run_training(folder, Watch(launcher=(*_WITH_NUMBER, str(number))))
    parts = [one.action["accumulate"] for one in read_corrections(folder)]
    assert parts == [2 ** (i + 1) for i in range(len(parts))]
    assert 1 <= len(parts) <= 3
    assert [row["step"] for row in read_metrics(folder)] == [1]


_N_STEPS, _N_KILLS = 80, 3
_COMMAND = (
    "import json, sys; from jobflow import run_locally; from scdp_flows.jobs.train import "
    "TrainMaker; maker = TrainMaker.from_dict(json.loads(sys.argv[1])); "
    "run_locally(maker.make(sys.argv[2]), log=False, raise_immediately=True)"
)


def _start_job(maker: TrainMaker, dataset: DatasetDoc, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _COMMAND, json.dumps(maker.as_dict()), dataset.dataset_id]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)


def _rounds_done(maker: TrainMaker) -> int:
    with maker.open_stores() as stores:
        folders = list((stores.path / "training").glob("*"))
    return max((len(read_metrics(folder)) for folder in folders), default=0)


def _weights(maker: TrainMaker, folder: Path) -> dict[str, Any]:
    with open_stores(maker.store_path) as stores:
        return dict(load_file(stores.models.fetch(maker.model_name, folder)))


@pytest.mark.slow
def test_kills_from_outside_leave_no_trace_in_the_weights(
    maker: TrainMaker, dataset: DatasetDoc, run_flow: Any, tmp_path: Path, rng: np.random.Generator
) -> None:
    settings = {**maker.training, "n_steps": _N_STEPS, "steps_per_round": 2}
    killed = replace(maker, training=settings)
    calm = replace(killed, store_path=str(tmp_path / "calm"))
    shutil.copytree(str(maker.store_path), tmp_path / "calm")
    for last in sorted(rng.choice(np.arange(2, _N_STEPS // 2 - 8), _N_KILLS, replace=False)):
        process = _start_job(killed, dataset, tmp_path)
        while _rounds_done(killed) < last:
            assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert _start_job(killed, dataset, tmp_path).wait() == 0
    found = _weights(killed, tmp_path)

    run_flow(calm.make(dataset.dataset_id))
    for name, expected in _weights(calm, tmp_path).items():
        np.testing.assert_array_equal(found[name], expected)
