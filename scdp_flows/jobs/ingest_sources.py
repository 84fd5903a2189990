"""Find the densities that paths, patterns, folders and archives offer."""

from __future__ import annotations

import glob
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.errors import DatasetError, DensityFormatError, ScdpFlowsError
from scdp_flows.io.archive import is_archive, iterate_members
from scdp_flows.io.base import count_densities, sniff
from scdp_flows.io.density_names import density_promise
from scdp_flows.jobs.ingest_items import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["find_files", "offers_of"]


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Return the files that paths and patterns name, each once; of folders, those of densities.

    Raises
    ------
    DatasetError
        If there is no pattern, or one matches no file.
    """
    if not patterns:
        raise DatasetError("there are no files to ingest; give at least one path or pattern")
    found: dict[Path, None] = {}
    for pattern in patterns:
        plain = Path(pattern).expanduser()
        # A name with brackets is a pattern only where no such file exists.
        matches = [plain] if plain.exists() else [Path(p) for p in glob.glob(str(plain))]  # noqa: PTH207
        files = [file for match in sorted(matches) for file in _files_of(match)]
        if not files:
            raise DatasetError(f"{pattern!r} matches no file; correct the path or the pattern")
        found |= dict.fromkeys(path.absolute() for path in files)
    return list(found)


def _files_of(path: Path) -> Iterator[Path]:
    """Yield a file itself, of a folder the densities below it."""
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        promise = density_promise(file.name)
        if promise == "no" or not file.is_file():
            continue
        if promise == "sure" or _has_known_format(file):
            yield file


def _has_known_format(path: Path) -> bool:
    try:
        sniff(path)
    except DensityFormatError:
        return False
    return True


def offers_of(path: Path, scratch: Path, *, format: str | None = None) -> Iterator[Offer]:  # noqa: A002
    """Yield what a file offers: itself, each density of a series, each member of an archive.

    Parameters
    ----------
    path
        The file.
    scratch
        Folder for copies of the members of archives; whoever reads them removes them.
    format
        Name of the format; default: judged from the content.
    """
    try:
        if format is None and is_archive(path):
            yield from _archive_offers(path, scratch)
            return
        yield from _file_offers(path, str(path), _stamp(path), format=format)
    except (ScdpFlowsError, OSError) as error:
        refusal = error if isinstance(error, ScdpFlowsError) else DensityFormatError(str(error))
        yield Offer(str(path), f"{path}", error=refusal)


def _file_offers(
    path: Path,
    name: str,
    stamp: str,
    *,
    format: str | None,  # noqa: A002 - the word users expect
    is_copy: bool = False,
) -> Iterator[Offer]:
    """Yield the densities of one file."""
    try:
        count = count_densities(path, format=format)
    except ScdpFlowsError as error:
        yield Offer(name, stamp, path, is_copy=is_copy, error=error)
        return
    if count == 1:
        yield Offer(name, stamp, path, is_copy=is_copy)
        return
    for index in range(count):
        # The copy of a series is needed until its last density.
        is_last = is_copy and index == count - 1
        yield Offer(f"{name}[{index}]", f"{stamp}[{index}]", path, index, is_copy=is_last)


def _archive_offers(path: Path, scratch: Path, prefix: str = "") -> Iterator[Offer]:
    """Yield the densities of an archive, and of archives in it."""
    stamp = _stamp(path)
    nested: deque[tuple[Path, str]] = deque()
    for number, member in enumerate(iterate_members(path, _fresh(scratch, prefix or path.name))):
        name = f"{prefix or path}:{member.name}"
        key = f"{stamp}:{number}:{member.name}"
        if member.path is None:
            yield Offer(name, key, error=member.error)
            continue
        promise = density_promise(member.path.name)
        if not prefix and is_archive(member.path):
            nested.append((member.path, name))
        elif promise == "sure" or _has_known_format(member.path):
            yield from _file_offers(member.path, name, key, format=None, is_copy=True)
        else:
            member.path.unlink()
        while nested:
            inner, inner_name = nested.popleft()
            yield from _archive_offers(inner, scratch, inner_name)
            inner.unlink(missing_ok=True)


def _fresh(scratch: Path, name: str) -> Path:
    """Return an empty folder for the members of one archive."""
    for number in range(2**31):
        folder = scratch / f"{number}_{Path(name).name[:40]}"
        if not folder.exists():
            folder.mkdir(parents=True)
            return folder
    raise DatasetError(f"{scratch} is full")


def _stamp(path: Path) -> str:
    """Return what changes when a file does, without reading it."""
    status = path.stat()
    return f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}"
