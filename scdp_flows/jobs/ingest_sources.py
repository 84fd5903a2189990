"""Find the densities that paths, patterns, folders and archives offer."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scdp_flows.errors import DatasetError, DensityFormatError, ScdpFlowsError
from scdp_flows.io.archive import is_archive, iterate_members
from scdp_flows.io.base import count_densities, sniff
from scdp_flows.io.density_names import density_promise
from scdp_flows.jobs.ingest_items import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_flows.io.archive import ArchiveMember

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
            stamp = _stamp(path)
            yield from _archive_offers(path, scratch, name=str(path), stamp=stamp, may_nest=True)
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


def _archive_offers(
    path: Path, scratch: Path, *, name: str, stamp: str, may_nest: bool
) -> Iterator[Offer]:
    """Yield the densities of an archive, and of archives in it."""
    is_empty = True
    for number, member in enumerate(iterate_members(path, _fresh(scratch, path.name))):
        place = _Place(f"{name}:{member.name}", f"{stamp}:{number}:{member.name}")
        for offer in _member_offers(member, place, scratch, may_nest=may_nest):
            is_empty = False
            yield offer
    if is_empty:
        raise DensityFormatError(
            "holds nothing that could be a density",
            file=name,
            fix="members are chosen by names such as CHGCAR, 1.cube or mp-1.json; rename them or "
            "unpack the archive",
        )


class _Place(NamedTuple):
    """Where a member of an archive is."""

    name: str
    stamp: str


def _member_offers(
    member: ArchiveMember, place: _Place, scratch: Path, *, may_nest: bool
) -> Iterator[Offer]:
    """Yield the densities of a member; what is wrong with it says nothing against the others."""
    copy, (name, stamp) = member.path, place
    if copy is None:
        yield Offer(name, stamp, error=member.error)
        return
    try:
        if may_nest and is_archive(copy):
            yield from _archive_offers(copy, scratch, name=name, stamp=stamp, may_nest=False)
            copy.unlink(missing_ok=True)
        elif density_promise(copy.name) == "sure" or _has_known_format(copy):
            yield from _file_offers(copy, name, stamp, format=None, is_copy=True)
        else:
            copy.unlink()
    except ScdpFlowsError as error:
        copy.unlink(missing_ok=True)
        yield Offer(name, stamp, error=error)


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
