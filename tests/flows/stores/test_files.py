from __future__ import annotations

import os
from pathlib import Path

import pytest

from scdp_flows.stores.files import write_whole


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
