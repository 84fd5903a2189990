from __future__ import annotations

import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scdp_flows.stores.files import locked, write_whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder."""
    path = tmp_path / "files"
    path.mkdir()
    return path


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_is_replaced_as_a_whole(folder: Path) -> None:
    file = folder / "a"
    write_whole(file, b"old content")
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize(("owner", "function"), [(os, "fsync"), (Path, "replace")])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, owner: object, function: str
) -> None:
    file = folder / "a"
    write_whole(file, b"old")
    monkeypatch.setattr(owner, function, _fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(folder.iterdir()) == [file]


def test_others_may_read_it(folder: Path) -> None:
    file = folder / "a"
    before = os.umask(0o022)
    try:
        write_whole(file, b"")
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o644


def test_one_at_a_time_is_inside(folder: Path) -> None:
    inside: list[int] = []

    def enter(number: int) -> None:
        with locked(folder / ".lock"):
            inside.append(number)
            time.sleep(0.01)
            assert inside.pop() == number

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(enter, range(8)))
    assert not inside


def test_nobody_waits_where_there_are_no_locks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without)
    with locked(folder / ".lock"), locked(folder / ".lock"):
        pass
