"""Labels of converged crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.dft.base import ScfInfo
from scdp_flows.dft.plane_waves.atoms import atomic_reference
from scdp_flows.dft.plane_waves.label import crystal_label
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.errors import CalculationError
from scdp_flows.io.espresso_waves import waves_on_grid
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_a_density_must_hold_the_electrons(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    atoms = atomic_reference(toy, [14]).superposition(
        toy_crystal.numbers, toy_crystal.positions, toy_crystal.cell, (True, True, True)
    )
    waves = seed_waves(toy_crystal, toy, atoms)
    values = waves_on_grid(waves, waves.components[0], (12, 12, 12)) / BOHR_TO_ANGSTROM**3
    scf = ScfInfo(-1.0, 5, 9, 100, 1.0, 2.0, 1e-9)

    def labelled(scale: float) -> object:
        density = ChargeDensity(
            scale * values,
            toy_crystal.cell,
            np.zeros(3),
            toy_crystal.numbers,
            toy_crystal.positions,
            pbc=(True, True, True),
        )
        return crystal_label(toy_crystal, toy, density, waves, scf, None)

    assert labelled(1.0).integral_error == pytest.approx(0.0, abs=1e-9)  # type: ignore[attr-defined]
    with pytest.raises(CalculationError, match=r"holds 8\.08000 electrons"):
        labelled(1.01)
