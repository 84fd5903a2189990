"""Scratch folders are removed, by the next process where the owner was killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path


def _hold(parent: Path) -> int:
    """Start a process that holds a folder with a file; return its identifier."""
    child = os.fork()
    if child == 0:
        with scratch_folder("work-", parent) as folder:
            (folder / "large").write_bytes(b"content")
            while True:
                time.sleep(1)
    while not list(parent.glob("work-*/files/large")):
        time.sleep(0.01)
    return child


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_an_empty_folder_is_given_and_removed(tmp_path: Path) -> None:
    with scratch_folder("work-", tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "deep").mkdir()
    assert list(tmp_path.glob("work-*")) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    _end(_hold(tmp_path))
    assert len(list(tmp_path.glob("work-*"))) == 1
    with scratch_folder("work-", tmp_path) as folder:
        assert list(tmp_path.glob("work-*")) == [folder.parent]


def test_folders_in_use_stay(tmp_path: Path) -> None:
    child = _hold(tmp_path)
    try:
        with scratch_folder("work-", tmp_path), scratch_folder("work-", tmp_path):
            assert len(list(tmp_path.glob("work-*"))) == 3
    finally:
        _end(child)


def test_what_others_call_alike_stays(tmp_path: Path) -> None:
    (tmp_path / "work-of-years").mkdir()
    (tmp_path / "work-elsewhere").symlink_to(tmp_path)
    with scratch_folder("work-", tmp_path):
        pass
    assert len(list(tmp_path.glob("work-*"))) == 2


def test_a_place_that_is_missing_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="nowhere"),
        scratch_folder("a", tmp_path / "nowhere"),
    ):
        pass
