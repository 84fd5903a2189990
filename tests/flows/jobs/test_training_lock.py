"""One process trains in a folder; the others wait, and say so."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import StoreError, TrainingError
from scdp_flows.jobs.training_lock import lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def other(run_folder: Path) -> Iterator[Any]:
    """Hold the lock of the folder."""
    with (run_folder / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def test_waiting_has_an_end_and_is_told_of(
    run_folder: Path, other: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert lock_folder(run_folder, until=time.time() + 0.5, silence_s=60) is None
    assert caplog.text.count(f"{run_folder}: another process is training there") == 1
    other.close()
    found = lock_folder(run_folder, until=0.0, silence_s=60)
    assert found is not None
    found.close()


@pytest.mark.usefixtures("other")
def test_who_holds_the_folder_and_does_nothing_is_told_of(run_folder: Path) -> None:
    with pytest.raises(TrainingError, match=r"has written nothing for 0\.3 s; look for it"):
        lock_folder(run_folder, until=None, silence_s=0.3)


def test_a_file_system_without_locks_is_named(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match=r"run: this file system has no locks.*option flock"):
        lock_folder(run_folder, until=None, silence_s=60)
