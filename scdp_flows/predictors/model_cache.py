"""Keep fetched checkpoints on a machine, for all processes, and not without bound."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from scdp_flows.schemas.training import file_sha256

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["fetched_before", "is_identifier", "make_room"]

# Not removed, whatever the bound: a process may be about to load it.
_IN_USE_S = 600.0
_LENGTH = 16
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")
_PATTERN = "[0-9a-f]" * _LENGTH + ".safetensors"

# File → time and size that it had when its content was found to be right.
_checked: dict[Path, tuple[int, int]] = {}


def is_identifier(model: str) -> bool:
    """Whether a model is named by the sha256 of its checkpoint."""
    return _IDENTIFIER.fullmatch(model) is not None


def fetched_before(model_id: str, folder: Path) -> Path | None:
    """Return the file of a model that lies in a folder, None if there is none or it is damaged.

    Its content is checked once per process, and again whenever the file has changed.

    Parameters
    ----------
    model_id
        sha256 of the checkpoint.
    folder
        Where :meth:`scdp_flows.stores.models.ModelStore.fetch` puts files.
    """
    file = folder / f"{model_id[:_LENGTH]}.safetensors"
    try:
        status = file.stat()
        found = status.st_mtime_ns, status.st_size
        if _checked.get(file) != found:
            if file_sha256(file) != model_id:
                return None
            # Only the time of reading: the other one tells that the content is what it was.
            os.utime(file, ns=(time.time_ns(), status.st_mtime_ns))
            _checked[file] = found
    except OSError:
        return None
    return file


def make_room(folder: Path, max_bytes: float) -> list[Path]:
    """Remove the checkpoints that were not used for longest until the others fit.

    Parameters
    ----------
    folder
        The folder; other files in it are left alone.
    max_bytes
        What the remaining files may take together. Those used in the last ten minutes stay.

    Returns
    -------
    list of Path
        What was removed.
    """
    files = []
    for file in folder.glob(_PATTERN):
        with suppress(FileNotFoundError):
            status = file.stat()
            files.append((max(status.st_atime, status.st_mtime), status.st_size, file))
    total = sum(size for _, size, _ in files)
    removed = []
    for used_at, size, file in sorted(files):
        if total <= max_bytes or time.time() - used_at < _IN_USE_S:
            break
        file.unlink(missing_ok=True)
        removed.append(file)
        total -= size
    return removed
