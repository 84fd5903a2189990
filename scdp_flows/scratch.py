"""Give scratch folders that do not outlive the process, even one that was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["scratch_folder"]

_LOCK = ".in-use"


@contextmanager
def scratch_folder(prefix: str, parent: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Give an empty folder that is removed afterwards.

    Who is killed by SIGKILL cannot remove anything; so the folders of the same prefix whose owner
    is gone are removed first. The owner holds a lock, which the system releases with the process.

    Parameters
    ----------
    prefix
        Beginning of the folder's name.
    parent
        Where; default: the directory for temporary files.

    Raises
    ------
    OSError
        If the folder cannot be made.

    Examples
    --------
    >>> with scratch_folder("example-") as folder:
    ...     (folder / "a").write_text("b")
    1
    >>> folder.exists()
    False
    """
    place = Path(parent or gettempdir())
    for old in place.glob(f"{prefix}*"):
        _remove_abandoned(old)
    folder, lock = _claimed(prefix, place)
    try:
        with lock:
            yield folder / "files"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _claimed(prefix: str, place: Path) -> tuple[Path, BinaryIO]:
    """Make a folder and lock it."""
    while True:
        folder = Path(mkdtemp(prefix=prefix, dir=place))
        try:
            lock = (folder / _LOCK).open("xb")
            # Some file systems have no locks: what is left behind there, stays.
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "files").mkdir()
        except FileNotFoundError:
            # Another process found it before it was locked, and took it for abandoned.
            continue
        return folder, lock


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder whose owner is gone; what another user has made stays."""
    with suppress(OSError):
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return
        with (folder / _LOCK).open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
