"""Structures beside densities are found by name, or by being alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.companions import read_companion

if TYPE_CHECKING:
    from pathlib import Path

_HYDROGEN = '1\nLattice="3 0 0 0 3 0 0 0 3" pbc="T T T"\nH 0 0 1\n'


def test_the_file_of_the_same_name_wins(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(_HYDROGEN)
    (tmp_path / "b.xyz").write_text(_HYDROGEN.replace("H 0", "He 0"))
    assert read_companion(tmp_path / "b.npy").numbers.tolist() == [2]
    with pytest.raises(DensityFormatError, match="2 structure files stand beside it"):
        read_companion(tmp_path / "c.npy")


def test_pickled_atoms_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a_atoms.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DensityFormatError, match="pickled atoms are not read"):
        read_companion(tmp_path / "a.npy")


def test_malformed_structures_name_the_density(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("1\n\nXx 0 0 0\n")
    with pytest.raises(DensityFormatError, match=r"a\.npy, structure"):
        read_companion(tmp_path / "a.npy")
