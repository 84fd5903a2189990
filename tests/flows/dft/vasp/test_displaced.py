from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.vasp.atoms import fit_atoms
from scdp_flows.dft.vasp.displaced import Crystal, carry_over, match, resample
from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.density import ChargeDensity


@pytest.fixture(scope="module")
def density(repository: Path) -> ChargeDensity:
    return read_chgcar(repository / "tests/data/vasp/Si2_24_CHGCAR.gz")


def _crystal(density: ChargeDensity) -> Crystal:
    return Crystal(density.numbers, density.positions, density.cell)


def test_pairs_are_found_across_order_and_cell_boundary() -> None:
    old = Crystal(
        np.array([6, 8, 8]), np.array([[0.1, 0, 0], [1, 1, 1], [2, 2, 2.0]]), 4 * np.eye(3)
    )
    new = Crystal(
        np.array([8, 8, 6]), np.array([[2.1, 2, 2], [1, 1, 0.9], [3.9, 4, 0]]), 4 * np.eye(3)
    )
    pairing = match(old, new)
    assert pairing is not None
    assert pairing.order.tolist() == [2, 1, 0]
    assert pairing.shift_ang == pytest.approx(0.2)
    assert pairing.strain == pytest.approx(0.0)
    assert match(old, new._replace(numbers=np.array([8, 6, 6]))) is None


def test_strain_and_rotation_of_the_cell_count(density: ChargeDensity) -> None:
    crystal = _crystal(density)
    stretched = match(
        crystal, crystal._replace(cell=1.03 * crystal.cell, positions=1.03 * crystal.positions)
    )
    assert stretched is not None
    assert stretched.strain == pytest.approx(0.03)
    assert stretched.shift_ang == pytest.approx(0.0, abs=1e-9)


def test_resampling_keeps_smooth_functions() -> None:
    x = np.arange(12) / 12
    wave = 2 + np.cos(2 * np.pi * x)[:, None, None] * np.ones((12, 8, 9))
    finer = resample(wave, (18, 10, 12))
    assert finer.mean() == pytest.approx(2.0)
    assert np.allclose(finer[:, 0, 0], 2 + np.cos(2 * np.pi * np.arange(18) / 18))


def test_nothing_changes_where_nothing_moves(density: ChargeDensity) -> None:
    same = carry_over(density, _crystal(density), density.shape, fit_atoms(density, None))
    assert np.allclose(same, density.values, atol=1e-9)


def test_electrons_are_kept_and_atoms_followed(density: ChargeDensity) -> None:
    crystal = _crystal(density)
    new = crystal._replace(cell=1.02 * crystal.cell, positions=1.02 * crystal.positions + 0.01)
    values = carry_over(density, new, (28, 28, 28), fit_atoms(density, None))
    moved = replace(density, values=values, cell=new.cell, positions=new.positions)
    assert moved.integral() == pytest.approx(density.integral(), abs=1e-6)


def test_a_translated_crystal_gets_a_translated_density(density: ChargeDensity) -> None:
    # The atoms move with the nuclei; only what is left over stays behind.
    step = density.cell[0] / 24
    crystal = _crystal(density)
    new = crystal._replace(positions=crystal.positions + step)
    values = carry_over(density, new, density.shape, fit_atoms(density, None))
    exact = np.roll(density.values, 1, axis=0)
    assert np.abs(values - exact).sum() < 0.5 * np.abs(density.values - exact).sum()
