"""A look at the first lines and the size."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from scdp_flows.io.chgcar_probe import probe_chgcar

if TYPE_CHECKING:
    from pathlib import Path


def test_whole_files_pass(data: Path, tmp_path: Path) -> None:
    packed = data / "vasp" / "Fe2_cubic_CHGCAR.gz"
    (tmp_path / "CHGCAR").write_bytes(gzip.decompress(packed.read_bytes()))
    assert probe_chgcar(packed) is None
    assert probe_chgcar(tmp_path / "CHGCAR") is None


@pytest.mark.parametrize(
    ("length", "problem"),
    [(0, "is empty"), (50, "no CHGCAR"), (1000, "is cut"), (100_000, "is cut")],
)
def test_cut_files_do_not(data: Path, tmp_path: Path, length: int, problem: str) -> None:
    content = gzip.decompress((data / "vasp" / "Fe2_cubic_CHGCAR.gz").read_bytes())
    (tmp_path / "CHGCAR").write_bytes(content[:length])
    assert (probe_chgcar(tmp_path / "CHGCAR") or "").startswith(problem)
