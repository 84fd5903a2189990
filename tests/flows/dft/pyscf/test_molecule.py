"""From structures to PySCF molecules."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.core import Lattice, Molecule, Structure

from scdp_flows.dft.pyscf.molecule import (
    build_molecule,
    check_elements,
    mean_field,
    quiet_pyscf,
    require_pyscf,
    restricted_kohn_sham,
)
from scdp_flows.errors import CalculationError, MissingDependencyError, StructureError
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


def test_positions_and_valence_electrons(water: Molecule, cheap: PyscfSettings) -> None:
    mol = build_molecule(water, cheap)
    assert mol.nelectron == 8
    np.testing.assert_allclose(
        mol.atom_coords() * BOHR_TO_ANGSTROM, water.cart_coords, rtol=0, atol=1e-8
    )


def test_charge_and_spin_are_used(cheap: PyscfSettings) -> None:
    ion = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]], charge=-1)
    assert build_molecule(ion, cheap).nelectron == 8
    oxygen = Molecule(["O", "O"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.21]], spin_multiplicity=3)
    assert build_molecule(oxygen, replace(cheap, spin="unrestricted")).spin == 2


def test_refuses_odd_electrons_and_open_shells(cheap: PyscfSettings) -> None:
    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    with pytest.raises(StructureError, match="electrons"):
        build_molecule(radical, cheap)
    triplet = Molecule(["O", "O"], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.21]], spin_multiplicity=3)
    with pytest.raises(StructureError, match="multiplicity 3"):
        build_molecule(triplet, cheap)


def test_refuses_overlapping_atoms_and_crystals(cheap: PyscfSettings) -> None:
    with pytest.raises(StructureError, match="overlap"):
        build_molecule(Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]]), cheap)
    crystal = Structure(Lattice.cubic(4.0), ["He"], [[0, 0, 0]])
    with pytest.raises(StructureError, match="periodic"):
        build_molecule(crystal, cheap)


def test_refuses_a_molecule_without_electrons(cheap: PyscfSettings) -> None:
    proton = Molecule(["H"], [[0, 0, 0]], charge=1)
    with pytest.raises(StructureError, match="0 valence electrons"):
        build_molecule(proton, cheap)


def test_names_the_element_that_has_no_basis(cheap: PyscfSettings) -> None:
    with pytest.raises(CalculationError, match=r"basis 'gth-dzvp' for the element Xe"):
        build_molecule(Molecule(["Xe"], [[0, 0, 0]]), cheap)
    with pytest.raises(CalculationError, match=r"pseudopotential 'gth-none' for the element H"):
        check_elements({"H"}, replace(cheap, pseudopotential="gth-none"))


def test_covers_organic_elements_by_default() -> None:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

    check_elements({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl"}, PyscfSettings())


def test_settings_reach_the_mean_field(water: Molecule, cheap: PyscfSettings) -> None:
    settings = replace(cheap, grid_level=2, max_cycle=7, functional="BLYP")
    mf = mean_field(build_molecule(water, settings), settings, conv_tol_ha=1e-5)
    assert (mf.grids.level, mf.max_cycle, mf.xc, mf.conv_tol) == (2, 7, "BLYP", 1e-5)


def test_restricted_also_for_an_odd_atom(cheap: PyscfSettings) -> None:
    from pyscf import gto

    atom = gto.M(atom="H", basis="gth-dzvp", pseudo="gth-pbe", spin=1, verbose=0)
    assert np.ndim(restricted_kohn_sham(atom, cheap).get_init_guess()) == 2


def test_holds_back_only_the_known_remark() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_pyscf():
            warnings.warn("Function int1e_r2_origi_sph not found.  Set its comp to 1", stacklevel=1)
            warnings.warn("another remark", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another remark"]


def test_says_how_to_install_pyscf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyscf", None)
    with pytest.raises(MissingDependencyError, match=r"scdp-flows\[pyscf\]"):
        require_pyscf()


def test_all_electrons_need_a_basis_with_cores(
    water: Molecule, all_electrons: PyscfSettings
) -> None:
    assert build_molecule(water, all_electrons).nelectron == 10
    with pytest.raises(CalculationError, match="no core functions for O"):
        check_elements({"O"}, replace(all_electrons, basis="gth-dzvp"))
    with pytest.raises(CalculationError, match="no core functions for I"):
        check_elements({"I"}, all_electrons)
    check_elements({"I"}, replace(all_electrons, basis="sto-3g"))
