"""Take the densities out of tar and zip archives one at a time.

Nothing is unpacked as a whole: each member is written to a scratch folder, read and removed. An
archive from elsewhere can try to write outside that folder (names with ``..``, links) or to fill
the disk (a small file that grows without end); such members are refused.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.compression import DECODE_ERRORS, open_binary
from scdp_flows.io.density_names import density_promise, is_beside_density
from scdp_flows.io.reading import COPY_ANEW, format_errors

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["ArchiveLimits", "ArchiveMember", "is_archive", "iterate_members"]

_TAR_MAGIC = (257, b"ustar")
_ZIP_MAGIC = b"PK\x03\x04"
_PIECE = 2**20
_SYMLINK = 0o120000
_ENCRYPTED = 1
# What is wrong with one member, or with the archive around it.
_DAMAGE = (*DECODE_ERRORS, tarfile.TarError, zipfile.BadZipFile)

# Headers that hold a long name or attributes, which tarfile reads into memory as a whole.
_LONG_HEADERS = frozenset((
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
))  # fmt: skip
_LONGEST_HEADER = 2**16
_ENDLESS = "grows without end when decompressed"


@dataclass(frozen=True)
class ArchiveLimits:
    """Bound what an archive may cost."""

    member_bytes: int = 2**32
    """Largest member, as it lies in the archive."""
    growth: int = 1000
    """Largest ratio of what a compressed archive holds to its own size."""
    least_bytes: int = 2**30
    """What an archive may hold whatever its own size."""
    n_members: int = 10_000_000
    """Most members."""
    beside_bytes: int = 2**34
    """Most bytes of the small files that densities need beside them, which stay until the end."""

    def total(self, archive_bytes: int) -> int:
        """Return how many bytes an archive of a size may hold."""
        return max(self.least_bytes, self.growth * archive_bytes)


class ArchiveMember(NamedTuple):
    """A density in an archive."""

    name: str
    """Its name there."""
    path: Path | None
    """A copy, which the caller removes when done; None if it was refused."""
    error: DensityFormatError | None
    """Why it was refused."""


class _Entry(NamedTuple):
    """A member of either kind of archive."""

    name: str
    size: int
    problem: str | None
    stream: IO[bytes] | None


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Tell by its content whether a file is a tar, also compressed, or a zip archive.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged.
    """
    with format_errors(path), open_binary(path) as stream:
        head = stream.read(512)
    start, magic = _TAR_MAGIC
    return head.startswith(_ZIP_MAGIC) or head[start : start + len(magic)] == magic


def iterate_members(
    path: str | os.PathLike[str], scratch: Path, *, limits: ArchiveLimits | None = None
) -> Iterator[ArchiveMember]:
    """Yield the densities of an archive, judged by their names.

    A first pass goes through everything, so that nothing is taken of an archive which is cut or
    whose checksum is wrong, and takes the small files that densities need beside them; the second
    takes the densities.

    Parameters
    ----------
    path
        The archive.
    scratch
        An empty folder for the copies.
    limits
        What the archive may cost.

    Raises
    ------
    DensityFormatError
        If the archive is missing, damaged or exceeds the limits; nothing is yielded then. What is
        wrong with a single member is yielded with it.
    """
    bounds = limits or ArchiveLimits()
    left = bounds.beside_bytes
    for entry in _entries(path, bounds):
        if is_beside_density(PurePosixPath(entry.name).name) and entry.problem is None:
            left -= entry.size
            if left < 0:
                problem = f"is beyond {bounds.beside_bytes} bytes of files beside densities"
                raise _refusal(path, entry.name, problem)
            _copy(entry, scratch, str(path))
    for entry in _entries(path, bounds):
        if density_promise(PurePosixPath(entry.name).name) == "no":
            continue
        if entry.problem is not None:
            error = _refusal(path, entry.name, entry.problem)
            yield ArchiveMember(entry.name, None, error)
            continue
        try:
            copy = _copy(entry, scratch, str(path))
        except DensityFormatError as error:
            yield ArchiveMember(entry.name, None, error)
        else:
            yield ArchiveMember(entry.name, copy, None)


def _entries(path: str | os.PathLike[str], limits: ArchiveLimits) -> Iterator[_Entry]:
    """Yield regular members, and whatever else bears a name, with what is wrong with it."""
    with format_errors(path):
        with Path(path).open("rb") as stream:
            is_zip = stream.read(4) == _ZIP_MAGIC
        try:
            entries = _zip_entries(path, limits) if is_zip else _tar_entries(path, limits)
            for number, entry in enumerate(entries):
                if number >= limits.n_members:
                    raise _refusal(path, entry.name, f"is beyond {limits.n_members} members")
                too_large = entry.size > limits.member_bytes
                problem = entry.problem or _name_problem(entry.name)
                if problem is None and too_large:
                    problem = f"holds {entry.size} bytes, more than {limits.member_bytes}"
                yield entry._replace(problem=problem)
        except (tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise DensityFormatError(
                f"is no intact archive ({error})", file=path, fix=COPY_ANEW
            ) from error


def _tar_entries(path: str | os.PathLike[str], limits: ArchiveLimits) -> Iterator[_Entry]:
    """Go through a tar archive, compressed or not."""
    with Path(path).open("rb") as plain:
        start, magic = _TAR_MAGIC
        is_plain = plain.read(512)[start : start + len(magic)] == magic
    with _opened_tar(path, limits, is_plain=is_plain) as archive:
        while (info := archive.next()) is not None:
            # Otherwise they are kept: a million empty members of some kilobytes cost a gigabyte.
            archive.members.clear()  # type: ignore[attr-defined] # no stub has it
            archive.pax_headers = {}
            if info.isdir():
                continue
            # Sparse members announce sizes that they do not have.
            is_regular = info.isreg() and not info.issparse()
            problem = None if is_regular else "is a link, a device or sparse, and no regular file"
            stream = archive.extractfile(info) if is_regular else None
            yield _Entry(info.name, info.size, problem, stream)


@contextmanager
def _opened_tar(
    path: str | os.PathLike[str], limits: ArchiveLimits, *, is_plain: bool
) -> Iterator[tarfile.TarFile]:
    """Open a tar archive: plain ones are sought in, compressed ones read from end to end."""
    if is_plain:
        with tarfile.open(path, "r:", tarinfo=_StrictTarInfo) as archive:
            yield archive
        return
    with open_binary(path, limit=limits.total(Path(path).stat().st_size)) as stream:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo) as archive:
            yield archive
        # The checksum of a compressed file stands at its end, behind the end of the archive.
        while stream.read(_PIECE):
            pass


class _StrictTarInfo(tarfile.TarInfo):
    """Refuse headers that tarfile takes for the end of the archive, or that cost much memory."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """Read the next header; only two empty blocks are the end."""
        place = tarfile.offset
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as error:
            raise ReadError(f"byte {place}: {error}") from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read the fields of a header."""
        found = super().frombuf(buf, encoding, errors)
        if found.type in _LONG_HEADERS and found.size > _LONGEST_HEADER:
            raise ReadError(f"a name or attribute of {found.size} bytes")
        if found.type == tarfile.GNUTYPE_SPARSE:
            raise ReadError("a sparse member")
        return found

    def _proc_gnusparse_10(self, *_: object) -> None:
        # The list of holes of a newer sparse member is as long as somebody wants it to be.
        raise ReadError("a sparse member")


def _zip_entries(path: str | os.PathLike[str], limits: ArchiveLimits) -> Iterator[_Entry]:
    """Go through a zip archive."""
    left = limits.total(Path(path).stat().st_size)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            # Members may overlap, so that a small archive is a large one many times over.
            left -= info.file_size
            if left < 0:
                raise _refusal(path, info.filename, _ENDLESS)
            problem = None
            if (info.external_attr >> 16) & 0o170000 == _SYMLINK:
                problem = "is a link"
            elif info.flag_bits & _ENCRYPTED:
                problem = "is encrypted"
            if problem is not None:
                yield _Entry(info.filename, info.file_size, problem, None)
                continue
            with archive.open(info) as stream:
                yield _Entry(info.filename, info.file_size, None, stream)


def _name_problem(name: str) -> str | None:
    """Say why a name cannot be trusted."""
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or ":" in name:
        return "has a name that leads out of the archive"
    return "has no name" if not parts or "\0" in name else None


def _copy(entry: _Entry, scratch: Path, archive: str) -> Path:
    """Write a member below the scratch folder, where it keeps its folder and name."""
    target = scratch.joinpath(*PurePosixPath(entry.name).parts)
    if entry.stream is None:
        raise _refusal(archive, entry.name, "is no regular file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            shutil.copyfileobj(entry.stream, stream, _PIECE)
    except FileExistsError:
        raise _refusal(archive, entry.name, "occurs twice") from None
    except _DAMAGE as error:
        target.unlink(missing_ok=True)
        raise _refusal(archive, entry.name, f"cannot be copied ({error})") from error
    if target.stat().st_size != entry.size:
        target.unlink()
        raise _refusal(archive, entry.name, f"is cut: {entry.size} bytes are announced")
    return target


def _refusal(archive: str | os.PathLike[str], name: str, problem: str) -> DensityFormatError:
    return DensityFormatError(
        f"{problem}", file=archive, field=name, fix="it was left out; unpack it if you trust it"
    )
