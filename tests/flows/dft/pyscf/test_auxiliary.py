"""Our shells as PySCF's auxiliary basis: orders, norms and integrals agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf import auxiliary
from scdp_flows.dft.pyscf.auxiliary import (
    condensed,
    contract_with_density_matrix,
    coulomb_error,
    coulomb_operator,
    spherical_coulomb_operator,
    to_auxmol,
)

if TYPE_CHECKING:
    from scdp_models.density.orbital import OrbitalDensity

pytestmark = pytest.mark.requires("pyscf")


@pytest.fixture
def shells(rng: np.random.Generator) -> OrbitalDensity:
    """Give shells up to g on an atom and on a bond midpoint, with any coefficients."""
    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.density.orbital import OrbitalDensity

    basis = BasisSet(
        "test",
        {
            8: ElementBasis((0, 0, 1, 2, 3, 4), (0.4, 2.0, 0.7, 0.6, 0.9, 1.2)),
            0: ElementBasis((0, 1, 1, 2), (0.5, 0.3, 0.9, 0.8)),
        },
    )
    places = [[0.0, 0.02, 0.12], [0.05, 0.4, -0.2]]
    empty = OrbitalDensity.from_basis(basis, [8, 0], places)
    coefficients = 0.1 * rng.normal(size=empty.n_functions)
    return OrbitalDensity.from_basis(basis, [8, 0], places, coefficients=coefficients)


def test_coulomb_integrals_are_the_same(shells: OrbitalDensity) -> None:
    from scdp_models.density.coulomb import coulomb_matrix

    theirs = to_auxmol(shells)
    matrix = theirs.mol.intor("int2c2e_sph")[np.ix_(theirs.permutation, theirs.permutation)]
    np.testing.assert_allclose(matrix, coulomb_matrix(shells), atol=1e-10)


def test_values_are_the_same(shells: OrbitalDensity, rng: np.random.Generator) -> None:
    from scdp_models.density.evaluate import evaluate_at_points
    from scdp_models.units import BOHR_TO_ANGSTROM

    points = rng.normal(size=(20, 3))
    theirs = to_auxmol(shells)
    values = theirs.mol.eval_gto("GTOval_sph", points) @ theirs.to_pyscf(shells.coefficients)
    ours = evaluate_at_points(shells, points * BOHR_TO_ANGSTROM) * BOHR_TO_ANGSTROM**3
    np.testing.assert_allclose(values, ours, atol=1e-12)


def test_three_index_integrals_are_contracted_both_ways(
    shells: OrbitalDensity, converged_water: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mol, dm = converged_water.mol, converged_water.run.dm
    energy = float((coulomb_operator(mol, shells) * dm).sum())
    # A tiny block takes the shells one by one.
    monkeypatch.setattr(auxiliary, "_BLOCK_BYTES", 1)
    projection = contract_with_density_matrix(mol, shells, dm)
    assert projection @ shells.coefficients == pytest.approx(energy, rel=1e-12)


def test_s_functions_of_a_centre_can_be_taken_together(
    shells: OrbitalDensity, converged_water: Any
) -> None:
    mol = converged_water.mol
    charges = shells.charges != 0
    spherical = replace(shells, coefficients=np.where(charges, shells.coefficients, 0.0))
    found = spherical_coulomb_operator(mol, shells)
    np.testing.assert_allclose(found, coulomb_operator(mol, spherical), atol=1e-12)


def test_coulomb_error_agrees_with_one_done_in_pieces(converged_water: Any) -> None:
    from scdp_models.density.coulomb import coulomb_matrix

    mol, run, density = converged_water.mol, converged_water.run, converged_water.fit.reference
    energy = 0.5 * float((run.mf.get_j(mol, run.dm) * run.dm).sum())
    c = density.coefficients
    operator = coulomb_operator(mol, density)
    pieces = energy - float((operator * run.dm).sum()) + 0.5 * c @ coulomb_matrix(density) @ c
    found = coulomb_error(mol, density, run.dm, coulomb_energy_ha=energy)
    assert found == pytest.approx(pieces, rel=1e-9)


def test_coulomb_error_of_orbital_products_vanishes() -> None:
    from pyscf import gto

    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.density.orbital import OrbitalDensity

    # The square of an s Gaussian of exponent a is one of exponent 2a: both sides are the same.
    mol = gto.M(atom="He", basis={"He": [[0, [0.6, 1.0]]]}, verbose=0)
    dm = np.array([[2.0]])
    basis = BasisSet("s", {2: ElementBasis((0,), (1.2,))})
    unit = OrbitalDensity.from_basis(basis, [2], [[0, 0, 0]], coefficients=[1.0])
    density = unit.scaled(2.0 / unit.n_electrons())
    energy = 0.5 * 4.0 * float(mol.intor("int2e").item())
    assert coulomb_error(mol, density, dm, coulomb_energy_ha=energy) == pytest.approx(0, abs=1e-12)
    half = coulomb_error(mol, density.scaled(0.5), dm, coulomb_energy_ha=energy)
    assert half == pytest.approx(0.25 * energy, rel=1e-10)


@pytest.mark.parametrize("electrons", ["valence", "all"])
def test_condensed_densities_have_the_same_charge_and_potential(
    converged_water: Any, all_electrons: Any, electrons: str
) -> None:
    from scdp_flows.dft.pyscf.atoms import atomic_reference
    from scdp_models.density.coulomb import coulomb_error as error_of

    density = converged_water.fit.density
    if electrons == "all":
        atoms = atomic_reference(all_electrons, [1, 8])
        places = converged_water.structure.cart_coords
        density = atoms.superposition([8, 1, 1], places) + converged_water.fit.difference
    found = condensed(density)
    assert found.n_functions < 0.9 * density.n_functions
    assert found.n_electrons() == pytest.approx(density.n_electrons(), abs=1e-9)
    assert found.dipole() == pytest.approx(density.dipole(), abs=1e-8)
    assert error_of(found, density) < (1e-6 if electrons == "valence" else 1e-5)
    assert condensed(found).n_functions == found.n_functions
