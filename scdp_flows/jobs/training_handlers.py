"""What custodian does when a training run fails, hangs or comes to the end of its time."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler, Validator

from scdp_flows.jobs.training_folder import (
    LOG_FILE,
    METRICS_FILE,
    MODEL_FILE,
    STATE_FILE,
    STOP_FILE,
    change_training_settings,
    note_correction,
    put_log_away,
    read_log,
    training_settings,
)

__all__ = [
    "HangHandler",
    "ModelFileValidator",
    "NonFiniteLossHandler",
    "OutOfMemoryHandler",
    "TrainingHandler",
    "WallTimeHandler",
]

_LOGGER = logging.getLogger(__name__)
_NON_FINITE = "non-finite loss"
_OUT_OF_MEMORY = "out of memory"
# A round may take this much longer than the one before.
_ROUND_RESERVE = 1.2


class TrainingHandler(ErrorHandler):
    """Write down what was found and what was done about it."""

    raise_on_max = True
    given_up = "it was corrected too often"
    """What to tell the user when there is nothing more to try."""

    def note(self, directory: str, error: str, action: dict[str, Any]) -> None:
        """Keep a correction in the folder of the run, from where it goes into the model's document.

        Parameters
        ----------
        directory
            Folder of the run.
        error
            What was found.
        action
            What was done, such as the setting that was changed and its new value.
        """
        note_correction(Path(directory), type(self).__name__, error, action)
        _LOGGER.warning("training: %s; %s", error, action)

    def restart(self, directory: str, error: str, action: dict[str, Any]) -> dict[str, Any]:
        """Note a correction after which the run starts again, and return it in custodian's form.

        The log is put away: the next check must not find the old error. The rest as in ``note``.
        """
        self.note(directory, error, action)
        put_log_away(Path(directory))
        return {"errors": [error], "actions": [action]}


class NonFiniteLossHandler(TrainingHandler):
    """Start anew with a tenth of the learning rate when the loss is no longer a number.

    Parameters
    ----------
    max_num_corrections
        How often.
    """

    given_up = (
        "the loss is not finite at any learning rate that was tried; check the labels, or lower "
        "learning_rate"
    )

    def __init__(self, max_num_corrections: int = 2) -> None:
        self.max_num_corrections = max_num_corrections

    def check(self, directory: str = "./") -> bool:
        """Tell whether the log says so."""
        return _NON_FINITE in read_log(Path(directory))

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Lower the learning rate and drop what was trained: it is spoilt."""
        folder = Path(directory)
        rate = 0.1 * float(training_settings(folder)["learning_rate"])
        change_training_settings(folder, {"learning_rate": rate})
        (folder / STATE_FILE).unlink(missing_ok=True)
        return self.restart(directory, _NON_FINITE, {"learning_rate": rate})


class OutOfMemoryHandler(TrainingHandler):
    """Cut each batch into twice as many parts when memory runs out; their gradients are added.

    The batch stays what it was, and so, up to rounding, do the steps. The run goes on from its last
    saved state.
    """

    given_up = (
        "a single structure does not fit into memory; take a smaller network, fewer n_probes, "
        "smaller structures, or a machine with more memory"
    )

    def check(self, directory: str = "./") -> bool:
        """Tell whether the log says so."""
        return _OUT_OF_MEMORY in read_log(Path(directory)).lower()

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Double the number of parts, unless each holds a single structure already."""
        folder = Path(directory)
        settings = training_settings(folder)
        parts = int(settings["accumulate"])
        most = int(settings["batch_size"]) // int(settings["devices"] or 1)
        if parts >= most:
            self.note(directory, _OUT_OF_MEMORY, {})
            return {"errors": [_OUT_OF_MEMORY], "actions": None}
        parts = min(2 * parts, most)
        change_training_settings(folder, {"accumulate": parts})
        return self.restart(directory, _OUT_OF_MEMORY, {"accumulate": parts})


class HangHandler(TrainingHandler):
    """Kill a run that has said nothing for long; it goes on from its last saved state.

    Parameters
    ----------
    hang_s
        How long neither log nor metrics may stay as they are, s.
    max_num_corrections
        How often.
    """

    is_monitor = True
    given_up = "it stops responding again and again; look at the machine, its disks and its GPU"

    def __init__(self, hang_s: float = 1800.0, max_num_corrections: int = 2) -> None:
        self.hang_s = hang_s
        self.max_num_corrections = max_num_corrections
        self._seen: list[int] = []
        self._since = time.monotonic()

    def check(self, directory: str = "./") -> bool:
        """Tell whether nothing was written for too long."""
        folder = Path(directory)
        if (folder / MODEL_FILE).is_file():
            return False
        files = (folder / LOG_FILE, folder / METRICS_FILE)
        seen = [file.stat().st_size if file.is_file() else -1 for file in files]
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since > self.hang_s

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Let the run start again; custodian has killed it."""
        error = f"nothing written for {self.hang_s:g} s"
        self._since = time.monotonic()
        return self.restart(directory, error, {"start_from": STATE_FILE})


class WallTimeHandler(TrainingHandler):
    """Ask the run to save its state and end, shortly before its time is over.

    It neither kills nor corrects: what is left to do is done by a further job. A run obeys at the
    end of a round, so it is asked the earlier the longer a round takes.

    Parameters
    ----------
    stop_at
        When the run should have ended, s since 1970.
    """

    is_monitor = True
    is_terminating = False
    raises_runtime_error = False

    def __init__(self, stop_at: float) -> None:
        self.stop_at = stop_at
        self._round_s = 0.0
        self._metrics_size: int | None = None
        self._since = time.monotonic()

    def check(self, directory: str = "./") -> bool:
        """Tell whether it is time, and was not so before."""
        folder = Path(directory)
        self._time_rounds(folder / METRICS_FILE)
        done = any((folder / name).exists() for name in (MODEL_FILE, STOP_FILE))
        return time.time() + _ROUND_RESERVE * self._round_s > self.stop_at and not done

    def _time_rounds(self, metrics: Path) -> None:
        size = metrics.stat().st_size if metrics.is_file() else 0
        if size != self._metrics_size:
            now = time.monotonic()
            if self._metrics_size is not None:
                self._round_s = now - self._since
            self._metrics_size, self._since = size, now

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Ask by a file."""
        error = "the wall time is nearly over"
        (Path(directory) / STOP_FILE).touch()
        self.note(directory, error, {"start_from": STATE_FILE})
        return {"errors": [error], "actions": None}


class ModelFileValidator(Validator):
    """Notice that the process ended without a model although nobody asked it to."""

    def check(self, directory: str = "./") -> bool:
        """Tell whether the model is missing."""
        return not any((Path(directory) / name).exists() for name in (MODEL_FILE, STOP_FILE))
