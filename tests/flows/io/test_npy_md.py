"""Fourier coefficients of molecular-dynamics sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.npy_md import count_npy_md, read_npy_md

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_BOHR = 0.529177210903
_AXIS = 0.4 * np.arange(50)
_BENZENE = 10 + 2 * np.array([[np.cos(a), 0.7 * np.sin(a), 0.1 * a] for a in range(12)])


def _gaussians(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give 4 electrons to each of the first six places and 1 to the others, e/bohr^3."""
    values = np.zeros((50, 50, 50))
    for index, place in enumerate(places):
        x, y, z = (np.exp(-((_AXIS - c) ** 2)) / np.sqrt(np.pi) for c in place)
        values += (4 if index < 6 else 1) * np.einsum("i,j,k", x, y, z)
    return values


def _write(folder: Path, scale: float = 1.0) -> Path:
    values = _gaussians(_BENZENE)
    for axis in range(3):
        waves = np.take(np.fft.rfft(values, axis=axis), range(25), axis=axis)
        values = np.concatenate([waves.real, waves.imag], axis=axis)
    folder.mkdir()
    np.save(folder / "structures.npy", _BENZENE[None])
    np.save(folder / "dft_densities.npy", scale * values.reshape(1, -1))
    return folder / "dft_densities.npy"


@pytest.mark.parametrize("scale", [1, 8], ids=["rfft", "series"])
def test_coefficients_become_the_density(tmp_path: Path, scale: float) -> None:
    file = _write(tmp_path / "benzene_test", scale)
    density = read_npy_md(file, 0)
    assert count_npy_md(file) == 1
    assert density.integral() == pytest.approx(30.0, abs=1e-4)
    np.testing.assert_allclose(density.values * _BOHR**3, _gaussians(_BENZENE), atol=1e-6)
    np.testing.assert_allclose(density.positions, _BENZENE * _BOHR)


def test_public_loaders_see_the_same_shape(tmp_path: Path) -> None:
    """They transform conjugated halves, reverse the grid and count its points from one step on."""
    file = _write(tmp_path / "benzene_test")
    values = np.load(file).reshape(50, 50, 50).astype(complex)
    for axis in range(3):
        parts = np.moveaxis(values, axis, 0).copy()
        parts[:25] = (parts[:25] - 1j * parts[25:]) / 2
        parts[25:] = parts[1:26][::-1].conj()
        values = np.moveaxis(np.fft.ifft(parts, axis=0), 0, axis)
    theirs = np.roll(values.real[::-1, ::-1, ::-1], 1, axis=(0, 1, 2))  # their first point is 0.4
    np.testing.assert_allclose(8 * theirs, _gaussians(_BENZENE), atol=1e-6)


def test_wrong_folders_and_indices_are_refused(tmp_path: Path) -> None:
    file = _write(tmp_path / "benzene_train")
    with pytest.raises(DensityFormatError, match="none of index 1"):
        read_npy_md(file, 1)
    (tmp_path / "benzene_train").rename(tmp_path / "water_train")
    with pytest.raises(DensityFormatError, match="names no known molecule"):
        read_npy_md(tmp_path / "water_train" / "dft_densities.npy", 0)
    (tmp_path / "water_train").rename(tmp_path / "phenol_train")
    with pytest.raises(DensityFormatError, match="do not fit together"):
        read_npy_md(tmp_path / "phenol_train" / "dft_densities.npy", 0)


def test_counts_that_fit_no_convention_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DensityFormatError, match=r"90\.000 or 11\.250 electrons"):
        read_npy_md(_write(tmp_path / "benzene_test", 3.0), 0)
