"""What cannot be computed is refused before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.dft.pyscf_crystals.cell import build_cell
from scdp_flows.errors import CalculationError, SettingsError, StructureError

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf_crystals.inputs import PyscfCrystalSettings

pytestmark = pytest.mark.requires("pyscf")


def test_counts_the_valence_electrons(distorted: Structure, cheap: PyscfCrystalSettings) -> None:
    found = build_cell(distorted, cheap)
    assert found.crystal.n_electrons == found.cell.nelectron == 8
    assert found.cell.vol == pytest.approx(found.crystal.volume_bohr)


def test_refuses_molecules(cheap: PyscfCrystalSettings) -> None:
    with pytest.raises(StructureError, match="PyscfCode"):
        build_cell(Molecule(["H"], [[0.0, 0.0, 0.0]]), cheap)


def test_fixed_occupations_want_an_even_number(cheap: PyscfCrystalSettings) -> None:
    aluminium = Structure(Lattice.cubic(2.86), ["Al"], [[0.0, 0.0, 0.0]])
    with pytest.raises(StructureError, match="3 valence electrons"):
        build_cell(aluminium, cheap)
    metal = replace(cheap, smearing="fermi")
    assert build_cell(aluminium, metal).crystal.n_electrons == 3
    with pytest.raises(StructureError, match="27 k-points"):
        build_cell(aluminium, replace(metal, kpoints=(3, 3, 3)))


@pytest.mark.parametrize("functional", ["PBE0", "TPSS", "nonsense"])
def test_refuses_functionals(
    distorted: Structure, cheap: PyscfCrystalSettings, functional: str
) -> None:
    with pytest.raises(SettingsError, match=functional):
        build_cell(distorted, replace(cheap, functional=functional))


def test_names_what_an_element_lacks(cheap: PyscfCrystalSettings) -> None:
    uranium = Structure(Lattice.cubic(3.0), ["U"], [[0.0, 0.0, 0.0]])
    with pytest.raises(CalculationError, match="element U"):
        build_cell(uranium, cheap)
