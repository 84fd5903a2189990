"""Write files that are there with all their content or not at all, and in turn."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "locked", "write_whole"]

TEMPORARY_PREFIX = ".tmp-"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time into a block; who dies in it lets the next one in.

    On a file system without locks nobody waits: what was computed is worth more than the order.

    Parameters
    ----------
    file
        An empty file to lock, made when missing; its folder must exist.

    Raises
    ------
    OSError
        If the file cannot be made.
    """
    # Opened for writing, because NFS locks no file that is only read.
    with file.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
        yield


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees a part of it, whatever is killed or loses power.

    Parameters
    ----------
    file
        The file, which is replaced if it exists; its folder must exist.
    data
        The content.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.
    """
    temporary = file.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(file.parent)


def _flush_folder(folder: Path) -> None:
    # The new name is on the disk only when the folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
