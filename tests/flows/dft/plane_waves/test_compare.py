"""Errors of starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.atoms import atomic_reference, superposed_waves
from scdp_flows.dft.plane_waves.compare import StartErrors, check_names
from scdp_flows.dft.plane_waves.seed import seed_waves
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.espresso.inputs import EspressoSettings
    from scdp_flows.dft.plane_waves.structure import Crystal


def test_names_with_a_meaning_are_refused() -> None:
    check_names({"predicted": None})
    with pytest.raises(SettingsError, match="exact"):
        check_names({"exact": None})


def test_errors_of_a_known_density(toy_crystal: Crystal, toy: EspressoSettings) -> None:
    atoms = atomic_reference(toy, [14]).superposition(
        toy_crystal.numbers, toy_crystal.positions, toy_crystal.cell, (True, True, True)
    )
    waves = seed_waves(toy_crystal, toy, atoms)
    errors, exact, place = StartErrors(waves, (16, 16, 16)), waves.components[0], 5
    changed = exact.copy()
    changed[place] += 1e-3
    square = ((waves.indices[place] @ waves.reciprocal) ** 2).sum()
    # Of a half sphere each wave stands for two.
    expected = 4 * np.pi * toy_crystal.volume_bohr * 1e-6 / square
    assert errors.coulomb(changed) == pytest.approx(expected)
    assert errors.nmae(exact) == 0.0
    assert errors.nmae(superposed_waves(toy_crystal, toy, waves.indices)) < 0.1
