"""When a job must end: by its own field, or by what a batch system says in the environment."""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import subprocess
import time
from dataclasses import dataclass

from scdp_flows.errors import SettingsError

__all__ = ["TimeLimit", "find_time_limit"]

_LOGGER = logging.getLogger(__name__)
_LARGEST_MARGIN_S = 300.0
_MARGIN_FRACTION = 0.1
# Custodian's own handlers keep the start of a batch job here, in this form.
_START_VARIABLE = "CUSTODIAN_WALLTIME_START"
_START_FORMAT = "%a %b %d %H:%M:%S %Z %Y"
_ENDLESS = ("UNLIMITED", "INFINITE", "NOT_SET")
# The time a job of Slurm has run, and what is left; durations, which need no time zone.
_ASK_SLURM = ("squeue", "--noheader", "--format=%M %L", "--jobs")
_ASK_PATIENCE_S = 30.0
_SLURM_TIME = re.compile(
    r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?"
)


@dataclass(frozen=True)
class TimeLimit:
    """Two moments in a job's life, s since 1970."""

    start: float
    """When it began."""
    end: float
    """When it will be killed."""

    @property
    def margin_s(self) -> float:
        """How long before its end a job should begin to save its state, s.

        A tenth of its time, at most five minutes.
        """
        return min(_LARGEST_MARGIN_S, _MARGIN_FRACTION * (self.end - self.start))

    @property
    def stop_at(self) -> float:
        """When it should begin to save its state."""
        return self.end - self.margin_s

    @property
    def too_late(self) -> bool:
        """Whether so little time is left that nothing should be started."""
        return time.time() > self.stop_at - self.margin_s


def find_time_limit(wall_time_s: float | None = None) -> TimeLimit | None:
    """Return how long the present job may run; None if nobody says.

    Parameters
    ----------
    wall_time_s
        Its run time from now on, s. None asks the batch system: ``SLURM_JOB_END_TIME``, else
        ``SBATCH_TIMELIMIT`` or ``PBS_WALLTIME`` counted from ``SLURM_JOB_START_TIME`` or, where
        that is not set, from the first call in the batch job. That moment is kept in
        ``CUSTODIAN_WALLTIME_START``, as custodian's own handlers do. Inside a job of Slurm that
        sets none of them (before version 23), ``squeue`` is asked.

    Raises
    ------
    SettingsError
        If a time is not positive or cannot be understood.
    """
    if wall_time_s is not None:
        if not wall_time_s > 0:
            raise SettingsError(f"wall_time_s is {wall_time_s}; give a positive number of seconds")
        return TimeLimit(time.time(), time.time() + wall_time_s)
    if end := os.environ.get("SLURM_JOB_END_TIME"):
        return TimeLimit(_batch_start(), _number("SLURM_JOB_END_TIME", end))
    seconds = _batch_seconds()
    if seconds is None:
        number = os.environ.get("SLURM_JOB_ID")
        return None if number is None else _asked(number)
    start = _batch_start()
    return TimeLimit(start, start + seconds)


def _batch_seconds() -> float | None:
    """Return the whole time of the batch job, s."""
    if (limit := os.environ.get("SBATCH_TIMELIMIT")) and limit.upper() not in _ENDLESS:
        return _slurm_seconds(limit)
    if limit := os.environ.get("PBS_WALLTIME"):
        return _number("PBS_WALLTIME", limit)
    return None


def _asked(number: str) -> TimeLimit | None:
    """Return what Slurm answers about a job; None if it has no limit, or there is no answer."""
    try:
        done = subprocess.run(  # noqa: S603 - the number is one word
            [*_ASK_SLURM, number],
            capture_output=True,
            text=True,
            check=True,
            timeout=_ASK_PATIENCE_S,
        )
        used, left = done.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        _LOGGER.warning(
            "Slurm does not say when job %s ends (%s); give wall_time_s, or training may be killed "
            "before it has saved its state",
            number,
            error,
        )
        return None
    if left.upper() in _ENDLESS:
        return None
    now = time.time()
    return TimeLimit(now - _slurm_seconds(used, "squeue"), now + _slurm_seconds(left, "squeue"))


def _batch_start() -> float:
    if start := os.environ.get("SLURM_JOB_START_TIME"):
        return _number("SLURM_JOB_START_TIME", start)
    kept = os.environ.get(_START_VARIABLE)
    if kept is None:
        now = dt.datetime.now()  # noqa: DTZ005 - custodian writes local time and calls it UTC
        kept = os.environ[_START_VARIABLE] = now.strftime(_START_FORMAT.replace("%Z", "UTC"))
    try:
        return dt.datetime.strptime(kept, _START_FORMAT).timestamp()  # noqa: DTZ007 - the same
    except ValueError as error:
        raise SettingsError(
            f"{_START_VARIABLE} is {kept!r}, expected a time such as "
            "'Mon Jan 05 12:00:00 UTC 2026'; correct or unset it"
        ) from error


def _slurm_seconds(limit: str, source: str = "SBATCH_TIMELIMIT") -> float:
    """Read minutes, minutes:seconds, hours:minutes:seconds, or days-hours[:minutes[:seconds]]."""
    found = _SLURM_TIME.fullmatch(limit.strip())
    if found is None:
        raise SettingsError(
            f"{source} is {limit!r}, expected minutes, hours:minutes:seconds or days-hours; "
            "correct or unset it, or give wall_time_s"
        )
    parts = [int(part) for part in found.group("first", "second", "third") if part is not None]
    if found.group("days") is not None:
        units, days = (3600, 60, 1), int(found.group("days"))
    else:
        units, days = ((3600, 60, 1) if len(parts) == 3 else (60, 1, 0)), 0
    return float(86400 * days + sum(unit * part for unit, part in zip(units, parts, strict=False)))


def _number(variable: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise SettingsError(
            f"{variable} is {value!r}, expected a number of seconds; correct or unset it"
        ) from error
