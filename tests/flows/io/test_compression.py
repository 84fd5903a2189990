from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tracemalloc
from typing import TYPE_CHECKING

import lz4.frame
import numpy as np
import pytest
import zstandard

from scdp_flows.io.compression import (
    DECODE_ERRORS,
    open_binary,
    open_text,
    replace_binary,
    replace_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".lz4": lz4.frame.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
_COMPRESSED = [suffix for suffix in _COMPRESSORS if suffix]


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
    assert path.read_bytes()[:2] == _COMPRESSORS[suffix](b"density\n")[:2]
    with open_text(path) as stream:
        assert stream.read() == "density\n"


@pytest.mark.parametrize("suffix", _COMPRESSED)
def test_frames_that_follow_each_other_are_one_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "CHGCAR"
    path.write_bytes(_COMPRESSORS[suffix](b"one\n") + _COMPRESSORS[suffix](b"two\n"))
    with open_binary(path) as stream:
        assert stream.read() == b"one\ntwo\n"


@pytest.mark.parametrize("suffix", _COMPRESSED)
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9, 0.999])
def test_truncated_files_are_noticed(suffix: str, fraction: float, tmp_path: Path) -> None:
    content = _COMPRESSORS[suffix](b"".join(b"%d\n" % (i * i) for i in range(20_000)))
    path = tmp_path / "CHGCAR"
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(DECODE_ERRORS), open_binary(path) as stream:
        stream.read()


@pytest.mark.parametrize("suffix", _COMPRESSED)
def test_damaged_files_are_noticed(suffix: str, tmp_path: Path) -> None:
    content = bytearray(_COMPRESSORS[suffix](b"".join(b"%d\n" % (i * i) for i in range(20_000))))
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    (tmp_path / "CHGCAR").write_bytes(content)
    with pytest.raises(DECODE_ERRORS), open_binary(tmp_path / "CHGCAR") as stream:
        stream.read()


@pytest.mark.parametrize("suffix", _COMPRESSED)
def test_one_wrong_bit_in_what_was_written_is_noticed(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(4000)
    with replace_binary(tmp_path / f"rho{suffix}") as stream:
        stream.write(noise)
    content = bytearray((tmp_path / f"rho{suffix}").read_bytes())
    content[2000] ^= 1
    (tmp_path / "rho").write_bytes(content)
    with pytest.raises(DECODE_ERRORS), open_binary(tmp_path / "rho") as damaged:
        damaged.read()


@pytest.mark.parametrize("suffix", _COMPRESSED)
def test_growth_is_bounded(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "CHGCAR"
    path.write_bytes(_COMPRESSORS[suffix](bytes(1_000_000)))
    with open_binary(path, limit=1_000_000) as stream:
        assert len(stream.read()) == 1_000_000
    with pytest.raises(OSError, match="grows without end"), open_binary(path, limit=9**6) as stream:
        stream.read()


@pytest.mark.parametrize("suffix", _COMPRESSED)
def test_bombs_cost_no_memory(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "CHGCAR"
    path.write_bytes(_COMPRESSORS[suffix](bytes(60_000_000)))
    tracemalloc.start()
    with open_binary(path) as stream:
        assert len(stream.read(1_000_000)) == 1_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 35e6


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
