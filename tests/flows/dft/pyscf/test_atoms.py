"""Spherical atoms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.pyscf.atoms import atomic_fit_error, atomic_reference, spherical_atom
from scdp_flows.dft.pyscf.molecule import mean_field, quiet_pyscf
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.inputs import PyscfSettings

pytestmark = pytest.mark.requires("pyscf")

_VALENCE = {1: 1, 6: 4, 7: 5, 8: 6, 9: 7, 15: 5, 16: 6, 17: 7}


def test_charges_are_exact(cheap: PyscfSettings) -> None:
    reference = atomic_reference(cheap, _VALENCE)
    for number, electrons in _VALENCE.items():
        atom = reference.superposition([number], [[0.0, 0.0, 0.0]])
        assert atom.n_electrons() == pytest.approx(electrons, abs=1e-9)


@pytest.mark.parametrize("number", [1, 8, 16])
def test_the_gaussians_hold_the_atom(number: int, cheap: PyscfSettings) -> None:
    assert atomic_fit_error(cheap, number) < 0.2


def test_density_matrix_is_spherical(cheap: PyscfSettings) -> None:
    atom = spherical_atom(cheap, 8)
    points = 1.3 * np.array([[1, 0, 0], [0, 0, 1], [1 / 3**0.5] * 3])
    ao = atom.mol.eval_gto("GTOval_sph", points)
    rho = np.einsum("pi,ij,pj->p", ao, atom.dm, ao)
    np.testing.assert_allclose(rho, rho[0], rtol=1e-12)


def test_agrees_with_pyscf_for_a_closed_shell(cheap: PyscfSettings) -> None:
    from pyscf import gto

    mol = gto.M(atom="Ne", basis="gth-dzvp", pseudo="gth-pbe", verbose=0)
    mf = mean_field(mol, replace(cheap, grid_level=3), conv_tol_ha=1e-10)
    with quiet_pyscf():
        mf.kernel()
    np.testing.assert_allclose(spherical_atom(cheap, 10).dm, mf.make_rdm1(), atol=2e-4)


def test_numbers_depend_on_the_settings_of_the_atom_alone(cheap: PyscfSettings) -> None:
    first = atomic_reference(cheap, [8]).atom(8)
    # A new computation, because the settings differ, of the same atom, because they do not matter.
    again = atomic_reference(replace(cheap, padding=9.0), [1, 8]).atom(8)
    assert again == first
    assert atomic_reference(replace(cheap, basis="gth-szv"), [8]).atom(8) != first


def test_refuses_an_element_without_pseudopotential(cheap: PyscfSettings) -> None:
    with pytest.raises(CalculationError, match="element Og"):
        atomic_reference(cheap, [118])


@pytest.mark.parametrize(("number", "basis"), [(1, "def2-svp"), (8, "cc-pvdz"), (16, "def2-svp")])
def test_the_gaussians_hold_all_electrons(
    number: int, basis: str, all_electrons: PyscfSettings
) -> None:
    settings = replace(all_electrons, basis=basis)
    assert atomic_fit_error(settings, number) < 0.1
    atom = atomic_reference(settings, [number]).atom(number)
    assert atom.n_electrons == number
