"""Crystals as the program sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.plane_waves.structure import as_crystal
from scdp_flows.errors import SettingsError, StructureError

if TYPE_CHECKING:
    from pymatgen.core import Molecule, Structure

    from scdp_flows.dft.espresso.inputs import EspressoSettings


def test_valence_electrons_and_bohr(silicon: Structure, toy: EspressoSettings) -> None:
    crystal = as_crystal(silicon, toy)
    assert crystal.n_electrons == 8.0
    assert crystal.symbols == ["Si", "Si"]
    assert crystal.volume_bohr == pytest.approx(silicon.volume / 0.529177210903**3)
    np.testing.assert_allclose(crystal.cell_bohr * 0.529177210903, silicon.lattice.matrix)


def test_molecules_are_refused(water: Molecule, toy: EspressoSettings) -> None:
    with pytest.raises(StructureError, match="not periodic in three directions"):
        as_crystal(water, toy)


def test_odd_electrons_need_spin_or_smearing(silicon: Structure, toy: EspressoSettings) -> None:
    ion = silicon.copy()
    ion.set_charge(1)
    with pytest.raises(StructureError, match="7 valence electrons"):
        as_crystal(ion, toy)
    assert as_crystal(ion, replace(toy, smearing="mv")).n_electrons == 7.0


def test_elements_without_pseudopotential_are_refused(
    silicon: Structure, toy: EspressoSettings
) -> None:
    carbide = silicon.copy()
    carbide.replace(1, "C")
    with pytest.raises(SettingsError, match="no pseudopotential for C"):
        as_crystal(carbide, toy)
