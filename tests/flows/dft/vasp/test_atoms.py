from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.vasp.atoms import SphericalAtoms, fit_atoms
from scdp_flows.errors import CalculationError
from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from pathlib import Path

CELL = np.array([[4.0, 0.0, 0.0], [0.5, 4.2, 0.0], [0.0, 0.3, 3.9]])
NUMBERS = np.array([6, 8])
POSITIONS = np.array([[0.3, 0.2, 0.1], [1.6, 1.4, 1.2]])
ATOMS = SphericalAtoms(
    {6: np.array([0.0, 0.0, 3.0, 1.0, 0.0]), 8: np.array([0.0, 2.0, 4.0, 0.0, 0.0])}
)


def _density(shape: tuple[int, int, int]) -> ChargeDensity:
    values = ATOMS.superposition((NUMBERS, POSITIONS, CELL), shape)
    return ChargeDensity(values, CELL, np.zeros(3), NUMBERS, POSITIONS, pbc=(True,) * 3)


@pytest.mark.parametrize("shape", [(24, 24, 24), (25, 24, 23)], ids=["even", "odd"])
def test_a_superposition_holds_its_electrons_and_is_found_again(
    shape: tuple[int, int, int],
) -> None:
    density = _density(shape)
    assert density.integral() == pytest.approx(10.0)
    found = fit_atoms(density, np.array([4.0, 6.0]))
    again = found.superposition((NUMBERS, POSITIONS, CELL), shape)
    assert np.abs(again - density.values).max() < 1e-3 * density.values.max()


def test_superposition_follows_translation() -> None:
    shape = (24, 24, 24)
    shifted = POSITIONS + CELL[0] / 12
    moved = ATOMS.superposition((NUMBERS, shifted, CELL), shape)
    assert np.allclose(np.roll(_density(shape).values, 2, axis=0), moved, atol=1e-10)


def test_factors_weigh_atoms() -> None:
    crystal = (NUMBERS, POSITIONS, CELL)
    values = ATOMS.superposition(crystal, (24, 24, 24), [0.5, -1.0])
    assert values.mean() * np.linalg.det(CELL) == pytest.approx(0.5 * 4 - 6)


def test_spherical_atoms_describe_most_of_a_real_crystal(repository: Path) -> None:
    density = read_chgcar(repository / "tests/data/vasp/Si2_24_CHGCAR.gz")
    atoms = fit_atoms(density, None)
    crystal = (density.numbers, density.positions, density.cell)
    left = density.values - atoms.superposition(crystal, density.shape)
    assert abs(left.mean()) < 1e-9
    assert np.abs(left).sum() < 0.25 * np.abs(density.values).sum()


def test_unknown_valences_of_several_elements_are_refused() -> None:
    with pytest.raises(CalculationError, match="POTCAR"):
        fit_atoms(_density((24, 24, 24)), None)
