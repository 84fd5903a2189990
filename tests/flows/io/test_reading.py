"""Whole files in bounded memory."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityError, DensityFormatError
from scdp_flows.io.reading import format_errors, read_bytes, read_start

if TYPE_CHECKING:
    from pathlib import Path


def test_content_is_decompressed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(b"abcdef"))
    assert read_bytes(tmp_path / "x") == b"abcdef"
    assert read_start(tmp_path / "x", 3) == b"abc"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(DensityFormatError, match="holds more than 1000 bytes"):
        read_bytes(tmp_path / "x", limit=1000)


@pytest.mark.parametrize("error", [EOFError("cut"), OSError("denied"), DensityError("flat")])
def test_errors_name_the_file(error: Exception) -> None:
    with pytest.raises(DensityFormatError, match=r"x: .*(cut|denied|flat)"), format_errors("x"):
        raise error
