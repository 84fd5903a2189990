"""Write files that are there with all their content or not at all."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TEMPORARY_PREFIX", "write_whole"]

TEMPORARY_PREFIX = ".tmp-"


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
