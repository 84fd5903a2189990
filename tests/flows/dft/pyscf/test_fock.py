"""The Kohn-Sham matrix of a given density."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.fock import (
    diagonalised_density_matrix,
    fock_of_density,
    fock_of_density_matrix,
    seed_grid,
    semilocal_functional,
)
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")


@pytest.mark.parametrize("functional", ["PBE", "LDA,VWN"])
def test_equals_pyscfs_own_for_a_density_matrix(
    functional: str, converged_water: Any, cheap: PyscfSettings
) -> None:
    mf = mean_field(converged_water.mol, replace(cheap, functional=functional))
    dm = converged_water.run.dm
    expected = mf.get_hcore() + mf.get_veff(mf.mol, dm)
    found = fock_of_density_matrix(mf, dm, grid_level=cheap.grid_level)
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_fit_gives_nearly_the_same_matrix(converged_water: Any, cheap: PyscfSettings) -> None:
    mf = mean_field(converged_water.mol, cheap)
    exact = fock_of_density_matrix(mf, converged_water.run.dm)
    fitted = fock_of_density(mf, converged_water.fit.density)
    atomic = fock_of_density(mf, converged_water.fit.reference)
    assert abs(fitted - exact).max() < 0.01
    assert abs(atomic - exact).max() > 5 * abs(fitted - exact).max()


def test_negative_tails_do_no_harm(converged_water: Any, cheap: PyscfSettings) -> None:
    mf = mean_field(converged_water.mol, cheap)
    dented = converged_water.fit.density + converged_water.fit.reference.scaled(-1.5)
    assert np.isfinite(fock_of_density(mf, dented, grid_level=0)).all()


def test_the_converged_matrix_leads_back_to_the_density(converged_water: Any) -> None:
    mf, dm = converged_water.run.mf, converged_water.run.dm
    fock = fock_of_density_matrix(mf, dm, grid_level=1)
    np.testing.assert_allclose(diagonalised_density_matrix(mf, fock), dm, atol=1e-3)


@pytest.mark.parametrize(
    ("functional", "expected"),
    [("PBE", "PBE"), ("BLYP", "BLYP"), ("PBE0", "PBE"), ("B3LYP", "PBE"), ("SCAN", "PBE")],
)
def test_hybrids_and_meta_functionals_start_from_pbe(
    functional: str, expected: str, water: Molecule, cheap: PyscfSettings
) -> None:
    mf = mean_field(build_molecule(water, cheap), replace(cheap, functional=functional))
    assert semilocal_functional(mf) == expected


def test_the_coarse_grid_is_finer_along_the_radius_than_pyscfs(
    water: Molecule, cheap: PyscfSettings
) -> None:
    from pyscf.dft import Grids

    mol = build_molecule(water, cheap)
    theirs = Grids(mol)
    theirs.level = 0
    theirs.build()
    coarse, fine = (len(seed_grid(mol, level).weights) for level in (0, 1))
    assert len(theirs.weights) < coarse < fine / 2
    assert seed_grid(mol, 0).atom_grid["H"] == (14, 50)
