"""Densities of Quantum ESPRESSO: coefficients, spins, and files that belong together."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.espresso import read_espresso_density
from scdp_flows.io.espresso_plot import read_espresso_plot

if TYPE_CHECKING:
    from pathlib import Path


def test_the_program_itself_transforms_to_the_same_values(data: Path) -> None:
    """``pp.x`` has written the density of the same run on the grid."""
    ours = read_espresso_density(data / "qe" / "oh.save" / "charge-density.dat")
    theirs = read_espresso_plot(data / "qe" / "oh.pp.gz")
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-8)
    np.testing.assert_allclose(ours.cell, theirs.cell, atol=1e-8)
    np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-8)


def test_silicon_with_k_points(data: Path) -> None:
    density = read_espresso_density(data / "qe" / "si.save" / "charge-density.dat")
    assert density.integral() == pytest.approx(8.0, abs=1e-6)
    assert density.magnetization is None
    bond = density.positions.mean(axis=0)
    peak = density.coordinates()[np.unravel_index(density.values.argmax(), density.shape)]
    assert np.linalg.norm(peak - bond) < 0.45


def test_the_schema_file_is_asked_for(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "qe" / "si.save" / "charge-density.dat", tmp_path)
    with pytest.raises(DensityFormatError, match=r"no data-file-schema\.xml beside it"):
        read_espresso_density(tmp_path / "charge-density.dat")


def test_files_of_different_runs_are_refused(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "qe" / "si.save" / "charge-density.dat", tmp_path)
    shutil.copy(data / "qe" / "oh.save" / "data-file-schema.xml", tmp_path)
    with pytest.raises(DensityFormatError, match="the two files are of different runs"):
        read_espresso_density(tmp_path / "charge-density.dat")


def test_a_wrong_number_of_electrons_is_refused(data: Path, tmp_path: Path) -> None:
    for name in ("charge-density.dat", "data-file-schema.xml"):
        shutil.copy(data / "qe" / "si.save" / name, tmp_path)
    schema = tmp_path / "data-file-schema.xml"
    text = schema.read_text().replace("<nelec>8.0", "<nelec>9.0")
    schema.write_text(text)
    with pytest.raises(DensityFormatError, match=r"8\.0000 electrons, and 9\.0000 according"):
        read_espresso_density(tmp_path / "charge-density.dat")


def test_a_wave_larger_than_the_density_is_refused(data: Path, tmp_path: Path) -> None:
    for name in ("charge-density.dat", "data-file-schema.xml"):
        shutil.copy(data / "qe" / "si.save" / name, tmp_path)
    file = tmp_path / "charge-density.dat"
    content = bytearray(file.read_bytes())
    # Fortran ends the record of the coefficients with its length.
    content[-84:-76] = np.float64(1e300).tobytes()
    file.write_bytes(content)
    with pytest.raises(DensityFormatError, match="coefficients beyond"):
        read_espresso_density(file)
