"""Let one process at a time train in a folder; the others wait for what it makes."""

from __future__ import annotations

import errno
import fcntl
import logging
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from scdp_flows.errors import StoreError, TrainingError
from scdp_flows.jobs.training_handlers import HangHandler

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOCK_FILE", "lock_folder"]

_LOGGER = logging.getLogger(__name__)
LOCK_FILE = "lock"
"""Who holds its lock trains."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_POLL_S = 0.2
_TELL_S = 600.0


def lock_folder(folder: Path, *, until: float | None, silence_s: float) -> IO[str] | None:
    """Wait until nobody else trains in a folder, and keep others out.

    Parameters
    ----------
    folder
        Folder of a run.
    until
        How long to wait, s since 1970; None: as long as the other is at work.
    silence_s
        How long the other may write neither log nor metrics, s.

    Returns
    -------
    IO[str] or None
        The file that holds the lock until it is closed here and in processes that inherit it; None
        if the time was over.

    Raises
    ------
    TrainingError
        If the one who trains there has been silent for so long.
    StoreError
        If the file system has no locks.
    """
    other, told = HangHandler(silence_s), -_TELL_S
    with ExitStack() as stack:
        file = stack.enter_context((folder / LOCK_FILE).open("a"))
        while not _locked(file, folder):
            if until is not None and time.time() > until:
                return None
            if other.check(str(folder)):
                raise TrainingError(
                    f"{folder}: another process is training there and has written nothing for "
                    f"{silence_s:g} s; look for it and stop it, and run the job again"
                )
            if time.monotonic() > told + _TELL_S:
                told = time.monotonic()
                _LOGGER.warning("%s: another process is training there; waiting for it", folder)
            time.sleep(_POLL_S)
        stack.pop_all()
        return file


def _locked(file: IO[str], folder: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise StoreError(
            f"{folder}: this file system has no locks ({error.strerror}), without which two jobs "
            "could train in one folder; have it mounted with them (Lustre: option flock), or set "
            "STORE_PATH to a folder on another one"
        ) from error
    return True
