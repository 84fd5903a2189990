"""The program's own list of waves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.structure import Crystal
from scdp_flows.dft.plane_waves.wave_list import (
    coulomb_weights,
    places_of,
    reciprocal_vectors,
    wave_list,
)
from scdp_flows.io.espresso_waves import EspressoWaves, read_waves
from scdp_flows.io.espresso_xml import read_schema
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.espresso.inputs import EspressoSettings


@pytest.mark.parametrize(
    ("folder", "shift", "ecutrho"),
    [("si.save", (1, 1, 1), 40.0), ("oh.save", (0, 0, 0), 56.0)],
)
def test_real_files_are_listed_in_the_same_order(
    repository: Path,
    toy: EspressoSettings,
    folder: str,
    shift: tuple[int, int, int],
    ecutrho: float,
) -> None:
    path = repository / "tests" / "data" / "qe" / folder / "charge-density.dat"
    run, waves = read_schema(path), read_waves(path)
    cell, positions = run.cell * BOHR_TO_ANGSTROM, run.positions * BOHR_TO_ANGSTROM
    crystal = Crystal("", run.numbers, positions, cell, 0, run.n_electrons)
    settings = replace(toy, ecutrho_ry=ecutrho, kshift=shift)
    assert settings.gamma_only == waves.is_half
    np.testing.assert_array_equal(wave_list(crystal, settings), waves.indices)
    np.testing.assert_allclose(reciprocal_vectors(crystal.cell_bohr), waves.reciprocal, atol=1e-10)


def test_places_in_a_list() -> None:
    indices = np.array([[0, 0, 0], [1, -2, 3], [-1, 2, -3]])
    wanted = np.array([[-1, 2, -3], [4, 4, 4], [0, 0, 0]])
    np.testing.assert_array_equal(places_of(indices, wanted), [2, -1, 0])


@pytest.mark.parametrize("is_half", [False, True], ids=["all", "half"])
def test_weights_give_the_energy_of_a_wave(is_half: bool) -> None:
    # rho = 2 a cos(g x) in a cube of side L has the energy V a^2 4 pi / g^2.
    indices = np.array([[0, 0, 0], [1, 0, 0]] if is_half else [[0, 0, 0], [1, 0, 0], [-1, 0, 0]])
    side, amplitude = 5.0, 0.3
    g = 2 * np.pi / side
    waves = EspressoWaves(is_half, g * np.eye(3), indices, [])
    energy = coulomb_weights(waves)[1:].sum() * amplitude**2
    assert energy == pytest.approx(side**3 * amplitude**2 * 4 * np.pi / g**2)
