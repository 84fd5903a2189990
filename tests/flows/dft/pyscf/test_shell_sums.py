"""Densities and potentials at points, all shells of a centre together."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_flows.dft.pyscf.auxiliary import to_auxmol
from scdp_flows.dft.pyscf.shell_sums import ShellSums
from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.orbital import OrbitalDensity

pytestmark = pytest.mark.requires("pyscf")


@pytest.fixture
def shells() -> OrbitalDensity:
    """Give shells up to g, steep and flat, on two centres."""
    basis = BasisSet(
        "test",
        {
            8: ElementBasis((0, 0, 1, 2, 2, 3, 4), (0.4, 20.0, 0.7, 0.6, 3.0, 0.9, 1.2)),
            0: ElementBasis((1, 1, 2), (0.3, 0.9, 0.8)),
        },
    )
    places = [[0.0, 0.02, 0.12], [0.05, 0.4, -0.2]]
    empty = OrbitalDensity.from_basis(basis, [8, 0], places)
    values = 0.1 * np.random.default_rng(3).normal(size=empty.n_functions)
    return OrbitalDensity.from_basis(basis, [8, 0], places, coefficients=values)


def _points() -> np.ndarray:
    points = np.random.default_rng(4).normal(size=(60, 3))
    # At a nucleus, close to it, and far away.
    return np.concatenate([[[0.0, 0.0, 0.0]], points, 20 * points[:5]])


def test_density_and_gradient_are_those_of_single_functions(shells: OrbitalDensity) -> None:
    auxiliary = to_auxmol(shells)
    values = auxiliary.mol.eval_gto("GTOval_sph_deriv1", _points())
    expected = values @ auxiliary.to_pyscf(shells.coefficients)
    found, _ = ShellSums(shells)(_points())
    np.testing.assert_allclose(found, expected, atol=3e-6 * abs(expected).max())


def test_potential_is_that_of_the_multipoles(shells: OrbitalDensity) -> None:
    from pyscf import gto

    auxiliary, points = to_auxmol(shells), _points()
    # A very steep charge at each point feels the potential there.
    probes = gto.fakemol_for_charges(points)
    integrals = gto.mole.intor_cross("int2c2e", probes, auxiliary.mol)
    coefficients = auxiliary.to_pyscf(shells.coefficients)
    coefficients[[0, 1]] = 0.0  # both shells of l = 0
    _, found = ShellSums(shells)(points)
    np.testing.assert_allclose(found, integrals @ coefficients, atol=5e-6)


def test_potential_is_left_out_on_request(shells: OrbitalDensity) -> None:
    _, potential = ShellSums(shells)(_points(), potential=False)
    assert not potential.any()
