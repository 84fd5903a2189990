"""Files of pw.x."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.espresso.files import RunFiles
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("folder", ["si.save", "oh.save"])
def test_a_finished_run_becomes_a_seed(repository: Path, tmp_path: Path, folder: str) -> None:
    finished, other = RunFiles(tmp_path / "a"), RunFiles(tmp_path / "b")
    shutil.copytree(repository / "tests" / "data" / "qe" / folder, finished.save)
    finished.paw.write_text("1.0 2.0\n")
    seed = finished.read_seed()
    other.write_seed(seed)
    assert other.density.read_bytes() == finished.density.read_bytes()
    assert other.paw.read_bytes() == finished.paw.read_bytes()
    held = finished.read_density().integral()
    volume = (2 * np.pi) ** 3 / abs(np.linalg.det(seed.waves.reciprocal))
    assert held == pytest.approx(volume * seed.waves.components[0][0].real, abs=1e-6)
    assert finished.n_orbital_waves() > 50


def test_builds_with_hdf5_are_named(repository: Path, tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    with pytest.raises(CalculationError, match="wrote no density"):
        files.read_seed()
    files.save.mkdir(parents=True)
    files.density.with_suffix(".hdf5").write_bytes(b"")
    with pytest.raises(CalculationError, match="built with HDF5"):
        files.read_density()


def test_seeds_of_norm_conserving_files_have_no_occupancies(
    repository: Path, tmp_path: Path
) -> None:
    files = RunFiles(tmp_path)
    shutil.copytree(repository / "tests" / "data" / "qe" / "si.save", files.save)
    assert files.read_seed().paw is None
