"""Run the training of a model in a process of its own, which custodian watches over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from custodian.custodian import Custodian, CustodianError, ErrorHandler, Job

from scdp_flows.errors import TrainingError
from scdp_flows.jobs.training_folder import (
    LOG_FILE,
    MODEL_FILE,
    STOP_FILE,
    put_log_away,
    read_log,
    read_metrics,
)
from scdp_flows.jobs.training_handlers import (
    HangHandler,
    ModelFileValidator,
    NonFiniteLossHandler,
    OutOfMemoryHandler,
    TrainingHandler,
    WallTimeHandler,
)
from scdp_flows.jobs.training_lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.jobs.wall_time import TimeLimit

__all__ = ["TrainingProcess", "Watch", "run_training"]

# By these a training process knows that it is one of several. If this very process is, say a worker
# that srun has started beside others, the training is still its own.
_SHARED = ("SLURM_STEP_NUM_TASKS", "TORCHELASTIC_RUN_ID")
_LAST_LINES = 3
_PATIENCE = 3
_GRACE_S, _KILL_S = 10.0, 60.0
_POLL_S = 0.5
_POLLS_PER_CHECK = 2
# Every handler has a limit of its own; that of custodian for all of them must not come first.
_MAX_ERRORS = 1000


class _EchoedProcess(subprocess.Popen[bytes]):
    """A process whose output goes to a file and, at the same time, to standard error."""

    def __init__(self, command: list[str], log: Path, **options: Any) -> None:
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
        self._echo = Thread(target=_echo, args=(self.stdout, log), daemon=True)
        self._echo.start()

    def poll(self) -> int | None:
        """Return the exit status of the process, once all of its output has arrived."""
        code = super().poll()
        if code is not None:
            self._finish()
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the process and of its output."""
        code = super().wait(timeout)
        self._finish()
        return code

    def _finish(self) -> None:
        # Processes that it has started would wait for it for ever, and keep the output open.
        if self._echo.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._echo.join()


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
    launcher
        Words before the command, such as ``["srun", "--ntasks=1"]``.
    """

    def __init__(self, folder: str, launcher: Sequence[str] = ()) -> None:
        self.folder = folder
        self.launcher = list(launcher)
        self._lock: IO[str] | None = None
        self._process: _EchoedProcess | None = None

    def lock(self, *, until: float | None = None, silence_s: float = 3600.0) -> bool:
        """Wait for the folder; return whether it is ours.

        Parameters
        ----------
        until, silence_s
            How long to wait; see :func:`scdp_flows.jobs.training_lock.lock_folder`.

        Raises
        ------
        TrainingError, StoreError
            As ``lock_folder`` does.
        """
        self._lock = lock_folder(Path(self.folder), until=until, silence_s=silence_s)
        return self._lock is not None

    def setup(self, directory: str = "./") -> None:  # noqa: ARG002 - custodian's signature
        """Take back a request to stop that was meant for an earlier run."""
        (Path(self.folder) / STOP_FILE).unlink(missing_ok=True)

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:  # noqa: ARG002
        """Start the process, with a log of its own.

        Raises
        ------
        TrainingError
            If the launcher cannot be run.
        """
        put_log_away(Path(self.folder))
        command = [*self.launcher, *_command(self.folder)]
        try:
            self._process = _EchoedProcess(
                command,
                Path(self.folder) / LOG_FILE,
                env=_environment(),
                pass_fds=() if self._lock is None else (self._lock.fileno(),),
            )
        except OSError as error:
            raise TrainingError(
                f"{command[0]} cannot be run: {error.strerror}; correct the launcher of the job"
            ) from error
        return self._process

    def postprocess(self, directory: str = "./") -> None:
        """Do nothing."""

    def terminate(self, directory: str = "./") -> None:  # noqa: ARG002 - custodian's signature
        """End the process and all that it has started.

        Raises
        ------
        TrainingError
            If it cannot be killed.
        """
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Custodian forgets a correction if the process is still there at its next check.
        for number, patience_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _KILL_S)):
            try:
                os.killpg(process.pid, number)
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                pass
            return
        raise TrainingError(
            f"process {process.pid}, which trains in {self.folder}, cannot be killed: it waits for "
            "a disk or a driver; look at the machine"
        )

    def close(self) -> None:
        """End what still runs and leave the folder."""
        self.terminate()
        if self._lock is not None:
            self._lock.close()

    def outcome(self) -> str:
        """Say how the process ended."""
        code = None if self._process is None else self._process.returncode
        if code == -signal.SIGKILL:
            return "the process was killed, as the system does when memory runs out"
        if code is not None and code < 0:
            return f"the process was ended by signal {-code}"
        return f"the process ended with status {code} and without a model"

    @property
    def ended_well(self) -> bool:
        """Whether the process ended with status 0."""
        return self._process is not None and self._process.returncode == 0


@dataclass(frozen=True)
class Watch:
    """How a run is started and watched."""

    n_corrections: int = 2
    """How often the learning rate may be lowered, and a hanging run be started again."""
    hang_s: float = 1800.0
    """How long a run may say nothing, s."""
    time_limit: TimeLimit | None = None
    """When the job must end; None: never."""
    launcher: tuple[str, ...] = ()
    """Words before the command."""

    def handlers(self) -> list[ErrorHandler]:
        """Return fresh handlers."""
        handlers: list[ErrorHandler] = [
            NonFiniteLossHandler(self.n_corrections),
            OutOfMemoryHandler(),
            HangHandler(self.hang_s, self.n_corrections),
        ]
        if self.time_limit is not None:
            handlers.append(WallTimeHandler(self.time_limit.stop_at))
        return handlers


def run_training(folder: Path, watch: Watch | None = None) -> bool:
    """Train in a folder, from the last saved state if there is one.

    Parameters
    ----------
    folder
        Holds ``run.json``; see :class:`scdp_models.training.config.RunSpecification`.
    watch
        How to start and watch the run.

    Returns
    -------
    bool
        Whether the model is there. If not, the time was over, perhaps while another process was
        training in the folder, and a further call goes on.

    Raises
    ------
    TrainingError
        If training fails; the message holds the last lines of the log.
    """
    watch = watch or Watch()
    process = TrainingProcess(str(folder), watch.launcher)
    limit = watch.time_limit
    # Who is said to hang is started again by his own job; only then is it our turn to complain.
    if not process.lock(
        until=None if limit is None else limit.stop_at, silence_s=_PATIENCE * watch.hang_s
    ):
        return False
    try:
        if (folder / MODEL_FILE).is_file():  # another has made it while this job waited
            return True
        if limit is not None and limit.too_late:
            return False
        return _train(folder, watch, process)
    finally:
        process.close()


def _train(folder: Path, watch: Watch, process: TrainingProcess) -> bool:
    """Train in a folder that is locked."""
    custodian = Custodian(
        watch.handlers(),
        [process],
        validators=[ModelFileValidator()],
        max_errors=_MAX_ERRORS,
        polling_time_step=_POLL_S,
        monitor_freq=_POLLS_PER_CHECK,
        directory=str(folder),
    )
    before = _steps_done(folder)
    try:
        custodian.run()
    except CustodianError as error:
        raise _failure(folder, _reason(error, process)) from error
    if (folder / MODEL_FILE).is_file():
        return True
    if process.ended_well and _steps_done(folder) <= before:
        # Or jobs would follow one another for ever.
        raise _failure(folder, "the job was over before a round of steps; give it more time")
    # Custodian takes a run that was asked to stop for a good one. It may have failed even so; but
    # where the log was put away, a handler has corrected the cause, and a new start will do.
    if not process.ended_well and (folder / LOG_FILE).is_file():
        raise _failure(folder, process.outcome())
    return False


def _steps_done(folder: Path) -> float:
    """Return how far the run has come: to the end of its last round."""
    rows = read_metrics(folder)
    return rows[-1]["step"] if rows else 0


def _reason(error: CustodianError, process: TrainingProcess) -> str:
    handler = getattr(error, "handler", None)
    return handler.given_up if isinstance(handler, TrainingHandler) else process.outcome()


def _failure(folder: Path, reason: str) -> TrainingError:
    lines = read_log(folder).strip().splitlines()[-_LAST_LINES:]
    return TrainingError(
        f"training in {folder} failed: {reason}. {LOG_FILE} ends with: {' / '.join(lines)}. "
        "Correct the cause and run the job again: it goes on from the last saved state"
    )


def _command(folder: str) -> list[str]:
    return [sys.executable, "-m", "scdp_models.training", folder]


def _environment() -> dict[str, str]:
    """Return an environment in which the models are found, also without installation."""
    spec = find_spec("scdp_models")
    places = [str(Path(spec.origin).parents[1])] if spec is not None and spec.origin else []
    if before := os.environ.get("PYTHONPATH"):
        places.append(before)
    own = {name: value for name, value in os.environ.items() if name not in _SHARED}
    return {**own, "PYTHONPATH": os.pathsep.join(places), "PYTHONUNBUFFERED": "1"}
