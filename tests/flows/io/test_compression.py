from __future__ import annotations

import bz2
import gzip
import lzma
import stat
from typing import TYPE_CHECKING

import pytest

from scdp_flows.io.compression import open_binary, open_text, replace_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("suffix", _COMPRESSORS)
def test_the_content_decides_and_not_the_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "CHGCAR"
    path.write_bytes(_COMPRESSORS[suffix](b"rho\n"))
    with open_binary(path) as stream:
        assert stream.read() == b"rho\n"


@pytest.mark.parametrize("suffix", _COMPRESSORS)
def test_the_name_decides_how_to_write(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"CHGCAR{suffix}"
    with replace_text(path) as stream:
        stream.write("density\n")
    assert path.read_bytes().startswith(
        {"": b"den", ".gz": b"\x1f\x8b", ".bz2": b"BZh"}.get(suffix, b"\xfd7z")
    )
    with open_text(path) as stream:
        assert stream.read() == "density\n"


def test_strange_bytes_do_not_end_the_reading(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\xffb\n")
    with open_text(tmp_path / "x") as stream:
        assert stream.read() == "a\ufffdb\n"


def _write_and_fail(path: Path) -> None:
    with replace_text(path) as stream:
        stream.write("half")
        raise KeyboardInterrupt


def test_an_interrupted_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "CHGCAR"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _write_and_fail(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == [
        entry.name for entry in tmp_path.iterdir() if "partial" not in entry.name
    ]


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_text(tmp_path / "no" / "CHGCAR"):
        pass


def test_written_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with replace_text(tmp_path / "ours"):
        pass
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")]
    assert modes[0] == modes[1]
