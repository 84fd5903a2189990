"""Nothing in the repository knows the machine it was written on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root|work|farm|opt/wheels|opt/pypi)/")
_PINNED = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+")
_LARGEST_TEXT = 2_000_000


def _text(path: Path) -> str | None:
    """Read a text file; a binary or very large one gives None."""
    if path.stat().st_size > _LARGEST_TEXT:
        return None
    data = path.read_bytes()
    return None if b"\0" in data else data.decode("utf-8", errors="replace")


def test_no_tracked_file_names_a_path_of_one_machine(tracked_files: list[Path]) -> None:
    found = [
        f"{path}: {match.group()}"
        for path in tracked_files
        if (text := _text(path)) is not None and (match := _MACHINE_PATH.search(text))
    ]
    assert not found, "\n".join(found)


def test_the_lock_pins_every_package_by_name_and_version(repository: Path) -> None:
    lines = (repository / "requirements.lock").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert not [line for line in packages if not _PINNED.fullmatch(line)]
    assert "torch==2.13.0" in packages
