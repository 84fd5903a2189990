"""Archives give their densities one at a time, and nothing else."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import lz4.frame
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.archive import ArchiveLimits, is_archive, iterate_members

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

_MEMBERS = {"b/CHGCAR": b"b" * 3000, "a/CHGCAR.gz": b"a" * 10, "a/INCAR": b"ENCUT", "x.txt": b"x"}


def _tar(path: Path, members: dict[str, bytes | str], mode: str = "w") -> Path:
    """Write a tar; a text in place of bytes is the target of a link."""
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Give the folder of the copies."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "w:bz2", "lz4", "zip"])
def test_members_come_one_by_one(tmp_path: Path, scratch: Path, kind: str) -> None:
    if kind == "zip":
        path = _zip(tmp_path / "x", _MEMBERS)
    else:
        path = _tar(tmp_path / "x", {**_MEMBERS}, "w" if kind == "lz4" else kind)
    if kind == "lz4":
        path.write_bytes(lz4.frame.compress(path.read_bytes()))
    assert is_archive(path)
    names = []
    for member in iterate_members(path, scratch):
        assert member.path is not None
        assert member.path.read_bytes() == _MEMBERS[member.name]
        assert (scratch / "a" / "INCAR").read_bytes() == b"ENCUT"  # what stands beside it
        member.path.unlink()
        names.append(member.name)
    assert names == ["b/CHGCAR", "a/CHGCAR.gz"]
    assert [p.name for p in scratch.rglob("*") if p.is_file()] == ["INCAR"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["../CHGCAR", "/tmp/CHGCAR", "a/../../CHGCAR", "C:\\CHGCAR.cube"])  # noqa: S108
def test_names_cannot_leave_the_folder(tmp_path: Path, scratch: Path, kind: str, name: str) -> None:
    members = {name: b"x"}
    path = _zip(tmp_path / "x", members) if kind == "zip" else _tar(tmp_path / "x", {**members})
    (member,) = iterate_members(path, scratch)
    assert member.path is None
    assert "leads out of the archive" in str(member.error)
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(("CHGCAR", ".cube"))]


def test_links_are_refused(tmp_path: Path, scratch: Path) -> None:
    (member,) = iterate_members(_tar(tmp_path / "x", {"CHGCAR": "/etc/passwd"}), scratch)
    assert "is a link" in str(member.error)
    with zipfile.ZipFile(tmp_path / "y", "w") as archive:
        info = zipfile.ZipInfo("CHGCAR")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    (member,) = iterate_members(tmp_path / "y", scratch)
    assert "is a link" in str(member.error)
    assert list(scratch.iterdir()) == []


def test_links_of_other_files_are_left_alone(tmp_path: Path, scratch: Path) -> None:
    path = _tar(tmp_path / "x", {"OUTCAR": "/etc/passwd", "latest": "a", "CHGCAR": b"x"})
    (member,) = iterate_members(path, scratch)
    assert member.name == "CHGCAR"
    assert [p.name for p in scratch.iterdir()] == ["CHGCAR"]


def test_sizes_are_bounded(tmp_path: Path, scratch: Path) -> None:
    path = _tar(tmp_path / "x", {"CHGCAR": bytes(2000)})
    (member,) = iterate_members(path, scratch, limits=ArchiveLimits(member_bytes=1000))
    assert "2000 bytes, more than 1000" in str(member.error)
    limits = ArchiveLimits(n_members=1)
    two = _tar(tmp_path / "y", {"a": b"", "b": b""})
    with pytest.raises(DensityFormatError, match="beyond 1 members"):
        list(iterate_members(two, scratch, limits=limits))


def test_a_bomb_is_not_unpacked(tmp_path: Path, scratch: Path) -> None:
    path = _tar(tmp_path / "x", {"a": bytes(10**7), "CHGCAR": b"x"}, "w:xz")
    limits = ArchiveLimits(least_bytes=10**6, growth=10)
    with pytest.raises(DensityFormatError, match="grows without end"):
        list(iterate_members(path, scratch, limits=limits))


def test_overlapping_members_are_not_unpacked(tmp_path: Path, scratch: Path) -> None:
    path = _zip(tmp_path / "x", {f"{i}/CHGCAR": bytes(10**6) for i in range(4)})
    limits = ArchiveLimits(least_bytes=3 * 10**6, growth=1)
    with pytest.raises(DensityFormatError, match="3/CHGCAR: grows without end"):
        list(iterate_members(path, scratch, limits=limits))


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE]
)
def test_endless_headers_are_not_read(tmp_path: Path, scratch: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("CHGCAR")
    info.type, info.size = kind, 2**32
    (tmp_path / "x").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(DensityFormatError, match=r"bytes|sparse"):
        list(iterate_members(tmp_path / "x", scratch))


def test_files_beside_are_bounded(tmp_path: Path, scratch: Path) -> None:
    path = _tar(tmp_path / "x", {"a/OUTCAR": bytes(900), "b/OUTCAR": bytes(900), "CHGCAR": b"x"})
    with pytest.raises(DensityFormatError, match="b/OUTCAR: is beyond 1000 bytes"):
        list(iterate_members(path, scratch, limits=ArchiveLimits(beside_bytes=1000)))


def test_many_empty_members_cost_no_memory(tmp_path: Path, scratch: Path) -> None:
    entry = tarfile.TarInfo("nothing").tobuf()
    with gzip.open(tmp_path / "x", "wb", compresslevel=1) as stream:
        stream.write(entry * 6000 + bytes(1024))
    tracemalloc.start()
    assert list(iterate_members(tmp_path / "x", scratch)) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4e6  # members that are kept take over 1 kB each


_CUT = {f"{i}/CHGCAR": bytes([i]) * 700 for i in range(3)}


def _packed(tmp_path: Path, kind: str) -> Path:
    if kind == "zip":
        return _zip(tmp_path / "x", _CUT)
    path = _tar(tmp_path / "x", {**_CUT}, kind.replace("lz4", "w"))
    if kind == "lz4":
        path.write_bytes(lz4.frame.compress(path.read_bytes()))
    return path


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "w:bz2", "lz4", "zip"])
def test_nothing_is_taken_of_cut_archives(tmp_path: Path, scratch: Path, kind: str) -> None:
    path = _packed(tmp_path, kind)
    content = path.read_bytes()
    # A plain tar ends with empty blocks; it may be cut within them.
    end = len(content.rstrip(b"\0")) if kind == "w" else len(content) - 1
    for keep in {*range(600, end, 97), *range(1024, end, 512), end}:
        path.write_bytes(content[:keep])
        with pytest.raises(DensityFormatError, match="x"):
            list(iterate_members(path, scratch))
        assert not list(scratch.iterdir())


@pytest.mark.parametrize("kind", ["w:gz", "w:xz", "w:bz2", "zip"])
def test_nothing_wrong_is_taken_of_damaged_archives(
    tmp_path: Path, scratch: Path, kind: str, rng: np.random.Generator
) -> None:
    path = _packed(tmp_path, kind)
    content = path.read_bytes()
    for place in rng.integers(6, len(content), 40):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            for member in iterate_members(path, scratch):
                if member.path is not None:
                    assert member.path.read_bytes() == _CUT[member.name]
                    member.path.unlink()
        except DensityFormatError as error:
            assert str(path) in str(error)  # noqa: PT017 - some damage hits what nobody reads


def test_a_member_may_occur_once(tmp_path: Path, scratch: Path) -> None:
    with tarfile.open(tmp_path / "x", "w") as archive:
        for _ in range(2):
            info = tarfile.TarInfo("CHGCAR")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    first, second = iterate_members(tmp_path / "x", scratch)
    assert first.error is None
    assert "occurs twice" in str(second.error)


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"CHGCAR\n" * 200)
    assert not is_archive(tmp_path / "x")
