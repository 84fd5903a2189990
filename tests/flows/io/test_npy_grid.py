"""Bare arrays and what stands beside them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.npy_grid import read_npy_grid

if TYPE_CHECKING:
    from pathlib import Path

_CRYSTAL = '1\nLattice="3 0 0 0 4 0 0 0 5" pbc="T T T"\nFe 0 0 1\n'


def test_the_real_molecule_is_in_bohr_and_isolated(data: Path) -> None:
    density = read_npy_grid(data / "npy" / "resent_qm9_000001" / "rho_22.npy")
    assert density.integral() == pytest.approx(8.0, abs=1e-3)
    assert density.pbc == (False, False, False)


def test_shaped_arrays_are_in_angstrom_with_spin(tmp_path: Path) -> None:
    values = np.arange(48.0).reshape(2, 3, 4, 2)
    np.save(tmp_path / "mp-1.npy", values)
    (tmp_path / "mp-1.xyz").write_text(_CRYSTAL)
    density = read_npy_grid(tmp_path / "mp-1.npy")
    assert np.array_equal(density.values, values[..., 0])
    assert density.magnetization is not None
    assert np.array_equal(density.magnetization, values[..., 1])
    assert density.volume == pytest.approx(60.0)


def test_what_is_missing_is_asked_for(data: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 2, 2)))
    with pytest.raises(DensityFormatError, match="no structure stands beside it"):
        read_npy_grid(tmp_path / "a.npy")
    (tmp_path / "a.xyz").write_text("1\n\nH 0 0 0\n")
    with pytest.raises(DensityFormatError, match="no cell"):
        read_npy_grid(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.ones((2, 2)))
    with pytest.raises(DensityFormatError, match=r"shape \(2, 2\)"):
        read_npy_grid(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.ones(8))
    with pytest.raises(DensityFormatError, match="grid_sizes"):
        read_npy_grid(tmp_path / "c.npy")
    shutil.copy(data / "npy" / "resent_qm9_000001" / "grid_sizes_22.dat", tmp_path)
    with pytest.raises(DensityFormatError, match="says 34 33 35 for 8 values"):
        read_npy_grid(tmp_path / "c.npy")
