"""Run the training of a model in a process of its own, which custodian watches over."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import IO, Any

from custodian.custodian import Custodian, CustodianError, ErrorHandler, Job, Validator

from scdp_flows.errors import TrainingError
from scdp_flows.stores.files import write_whole

__all__ = [
    "LOG_FILE",
    "MODEL_FILE",
    "ModelFileValidator",
    "NonFiniteLossHandler",
    "TrainingProcess",
    "run_training",
]

LOG_FILE = "train.log"
"""What the training process says, in its folder."""
MODEL_FILE = "model.safetensors"
"""What it makes."""

_LOGGER = logging.getLogger(__name__)
_LOCK_FILE = "lock"
_STATE_FILE = "last.ckpt"
_NON_FINITE = "non-finite loss"
_LAST_LINES = 3
_GRACE_S = 10.0


class _EchoedProcess(subprocess.Popen[bytes]):
    """A process whose output goes to a file and, at the same time, to standard error."""

    def __init__(self, command: list[str], log: Path, **options: Any) -> None:
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )
        self._echo = Thread(target=_echo, args=(self.stdout, log), daemon=True)
        self._echo.start()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and of its output."""
        code = super().wait(timeout)
        self._echo.join()
        return code


def _echo(stream: IO[bytes], log: Path) -> None:
    with stream, log.open("ab", buffering=0) as file:
        # Not line by line: progress bars rewrite one line for ever.
        while chunk := os.read(stream.fileno(), 4096):
            file.write(chunk)
            sys.stderr.write(chunk.decode(errors="replace"))
            sys.stderr.flush()


class TrainingProcess(Job):
    """Run ``python -m scdp_models.training`` in a folder that one process at a time may use.

    The lock of the folder is held as long as the training process lives, even if the process that
    started it is killed. A training process that outlives its parent ends with its next line of
    progress, because nobody reads it.

    Parameters
    ----------
    folder
        Folder of the run, with its ``run.json``.
    wait_s
        How long to wait for another process to leave the folder, s.
    """

    def __init__(self, folder: str, wait_s: float = 60.0) -> None:
        self.folder = folder
        self.wait_s = wait_s
        self._lock: IO[str] | None = None
        self._process: _EchoedProcess | None = None

    def setup(self, directory: str = "./") -> None:  # noqa: ARG002 - custodian's signature
        """Lock the folder.

        Raises
        ------
        TrainingError
            If another process trains there.
        """
        self._lock = (Path(self.folder) / _LOCK_FILE).open("a")
        deadline = time.monotonic() + self.wait_s
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"{self.folder}: another process is training there; wait until it is done, "
                        "or stop it, and run the job again"
                    ) from None
                time.sleep(0.2)
            else:
                return

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:  # noqa: ARG002
        """Start the process, with a log of its own."""
        _put_away(Path(self.folder) / LOG_FILE)
        self._process = _EchoedProcess(
            _command(self.folder),
            Path(self.folder) / LOG_FILE,
            env=_environment(),
            start_new_session=True,
            pass_fds=() if self._lock is None else (self._lock.fileno(),),
        )
        return self._process

    def postprocess(self, directory: str = "./") -> None:
        """Do nothing."""

    def terminate(self, directory: str = "./") -> None:  # noqa: ARG002 - custodian's signature
        """End the process and all that it has started."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                pass
            return

    def close(self) -> None:
        """End what still runs and leave the folder."""
        self.terminate()
        if self._lock is not None:
            self._lock.close()


class NonFiniteLossHandler(ErrorHandler):
    """Start again with a tenth of the learning rate when the loss is no longer a number.

    Parameters
    ----------
    max_num_corrections
        How often.
    """

    raise_on_max = True

    def __init__(self, max_num_corrections: int = 2) -> None:
        self.max_num_corrections = max_num_corrections

    def check(self, directory: str = "./") -> bool:
        """Tell whether the log says so."""
        return _NON_FINITE in _read_log(Path(directory))

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Lower the learning rate and drop what was trained."""
        folder = Path(directory)
        rate = _lower_learning_rate(folder)
        (folder / _STATE_FILE).unlink(missing_ok=True)
        _LOGGER.warning("the loss is not finite; starting again with learning rate %g", rate)
        return {"errors": [_NON_FINITE], "actions": [{"learning_rate": rate}]}


class ModelFileValidator(Validator):
    """Notice that the process ended without a model."""

    def check(self, directory: str = "./") -> bool:
        """Tell whether the model is missing."""
        return not (Path(directory) / MODEL_FILE).is_file()


def run_training(folder: Path, *, n_corrections: int = 2, wait_s: float = 60.0) -> None:
    """Train in a folder until the model is there, from the last saved state if there is one.

    Parameters
    ----------
    folder
        Holds ``run.json``; see :class:`scdp_models.training.config.RunSpecification`.
    n_corrections
        How often the learning rate may be lowered.
    wait_s
        How long to wait for another process to leave the folder, s.

    Raises
    ------
    TrainingError
        If training fails; the message holds the last lines of the log.
    """
    process = TrainingProcess(str(folder), wait_s)
    custodian = Custodian(
        [NonFiniteLossHandler(n_corrections)],
        [process],
        validators=[ModelFileValidator()],
        max_errors=n_corrections + 1,
        directory=str(folder),
    )
    try:
        custodian.run()
    except CustodianError as error:
        lines = _read_log(folder).strip().splitlines()[-_LAST_LINES:]
        raise TrainingError(
            f"training in {folder} failed: {error}. {LOG_FILE} ends with: {' / '.join(lines)}. "
            "Correct the cause and run the job again: it goes on from the last saved state"
        ) from error
    finally:
        process.close()


def _command(folder: str) -> list[str]:
    return [sys.executable, "-m", "scdp_models.training", folder]


def _put_away(log: Path) -> None:
    """Rename the log of an earlier attempt: its errors are not those of the next."""
    if log.is_file():
        log.rename(log.with_name(f"{log.name}.{len(list(log.parent.glob(f'{log.name}.*')))}"))


def _environment() -> dict[str, str]:
    """Return an environment in which the models are found, also without installation."""
    spec = find_spec("scdp_models")
    places = [str(Path(spec.origin).parents[1])] if spec is not None and spec.origin else []
    if before := os.environ.get("PYTHONPATH"):
        places.append(before)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), "PYTHONUNBUFFERED": "1"}


def _read_log(folder: Path) -> str:
    log = folder / LOG_FILE
    return log.read_text(errors="replace") if log.is_file() else ""


def _lower_learning_rate(folder: Path, factor: float = 0.1) -> float:
    """Rewrite ``run.json``; plain JSON, because this process need not load the models."""
    path = folder / "run.json"
    document = json.loads(path.read_text())
    rate = float(document["training"]["learning_rate"]) * factor
    document["training"]["learning_rate"] = rate
    write_whole(path, json.dumps(document, indent=1).encode())
    return rate
