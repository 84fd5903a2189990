"""Coulomb and overlap integrals against PySCF, limits and quadrature; constrained fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.coulomb import (
    boys,
    charge_constrained_fit,
    coulomb_error,
    coulomb_matrix,
    overlap_matrix,
)
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import DensityError
from scdp_models.testing import random_rotations
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    MakeDensity = Callable[..., OrbitalDensity]


def _pyscf_integrals(density: OrbitalDensity, name: str) -> NDArray[np.float64]:
    """Compute the same integrals with PySCF, in our order of functions."""
    from pyscf import gto

    atoms, basis = [], {}
    for centre, position in enumerate(density.positions):
        label = f"H@{centre}"
        shells = np.flatnonzero(density.shell_centres == centre)
        pairs = zip(density.shell_ls[shells], density.shell_exponents[shells], strict=True)
        basis[label] = [[int(l), [float(a), 1.0]] for l, a in pairs]
        atoms.append((label, tuple(position / BOHR_TO_ANGSTROM)))
    mol = gto.M(atom=atoms, basis=basis, unit="Bohr", spin=None, verbose=0)
    # PySCF orders p as (x, y, z), we as (y, z, x); the others agree.
    order: list[int] = []
    for l, offset in zip(density.shell_ls, density.shell_offsets, strict=True):
        inner = [1, 2, 0] if l == 1 else range(2 * l + 1)
        order += [int(offset) + m for m in inner]
    return np.asarray(mol.intor(name))[np.ix_(order, order)]


@pytest.mark.requires("pyscf")
@pytest.mark.parametrize(
    ("name", "function"), [("int2c2e_sph", coulomb_matrix), ("int1e_ovlp_sph", overlap_matrix)]
)
def test_integrals_are_those_of_pyscf(
    random_density: MakeDensity, name: str, function: Callable[..., NDArray[np.float64]]
) -> None:
    density = random_density(exponents=(0.09, 0.9, 300.0))
    expected = _pyscf_integrals(density, name)
    np.testing.assert_allclose(function(density), expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("order", [0, 1, 4, 9])
def test_boys_is_its_integral(order: int) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(80)
    t, w = (nodes + 1) / 2, weights / 2
    arguments = np.array([0.0, 1e-7, 9e-4, 1.1e-3, 0.5, 3.0, 30.0])
    expected = [(w * t ** (2 * order) * np.exp(-x * t**2)).sum() for x in arguments]
    np.testing.assert_allclose(boys(order, arguments), expected, rtol=1e-11)


def test_far_charges_interact_as_points() -> None:
    basis = BasisSet("s", {1: ElementBasis((0,), (0.8,))})
    a = OrbitalDensity.from_basis(basis, [1], [[0, 0, 0]])
    b = OrbitalDensity.from_basis(basis, [1], [[0, 0, 30.0]])
    expected = a.charges[0] * b.charges[0] / (30.0 / BOHR_TO_ANGSTROM)
    assert coulomb_matrix(a, b)[0, 0] == pytest.approx(expected, rel=1e-12)


def test_blocks_of_two_densities_are_those_of_their_sum(random_density: MakeDensity) -> None:
    a, b = random_density(seed=1), random_density([[3.0, 0.1, 0.2]], seed=2)
    n = a.n_functions
    np.testing.assert_allclose(coulomb_matrix(a, b), coulomb_matrix(a + b)[:n, n:], atol=1e-12)


def test_coulomb_matrix_is_positive_definite(random_density: MakeDensity) -> None:
    matrix = coulomb_matrix(random_density())
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_self_overlap_is_one(random_density: MakeDensity) -> None:
    np.testing.assert_allclose(np.diag(overlap_matrix(random_density())), 1.0, rtol=1e-12)


def test_coulomb_error_does_not_depend_on_the_frame(random_density: MakeDensity) -> None:
    a, b = random_density(seed=1), random_density(seed=2)
    rotation = random_rotations()[-1]
    error = coulomb_error(a, b)
    assert error > 0
    assert coulomb_error(a.rotated(rotation), b.rotated(rotation)) == pytest.approx(error, rel=1e-9)


def test_coulomb_error_of_equals_is_zero(random_density: MakeDensity) -> None:
    assert coulomb_error(random_density(), random_density()) == 0.0


def test_coulomb_error_of_gaussian_and_nothing() -> None:
    # The self-energy of a unit Gaussian charge (a/pi)^(3/2) exp(-a r^2) is sqrt(a/(2 pi)).
    basis = BasisSet("s", {1: ElementBasis((0,), (0.8,))})
    nothing = OrbitalDensity.from_basis(basis, [1], [[0, 0, 0]])
    unit = replace(nothing, coefficients=1 / nothing.charges)
    assert coulomb_error(unit, nothing) == pytest.approx(np.sqrt(0.8 / (2 * np.pi)), rel=1e-12)


def _fit(density: OrbitalDensity, **options: Any) -> NDArray[np.float64]:
    matrix = coulomb_matrix(density)
    right = matrix @ density.coefficients
    return charge_constrained_fit(matrix, right, density.charges, **options)


def test_fit_recovers_what_the_basis_can_hold(random_density: MakeDensity) -> None:
    density = random_density(exponents=(0.3, 1.5))
    found = _fit(density, charge=density.n_electrons(), ridge=0.0)
    np.testing.assert_allclose(found, density.coefficients, atol=1e-8)


@pytest.mark.parametrize("charge", [0.0, 7.0])
def test_fit_holds_the_charge(random_density: MakeDensity, charge: float) -> None:
    density = random_density()
    found = _fit(density, charge=charge)
    assert density.charges @ found == pytest.approx(charge, abs=1e-9)


def test_constraint_is_the_cheapest_one(random_density: MakeDensity) -> None:
    # Any other change of the coefficients that keeps the charge costs Coulomb energy.
    density = random_density(exponents=(0.3, 1.5))
    matrix, charges = coulomb_matrix(density), density.charges
    change = _fit(density, charge=density.n_electrons() + 1, ridge=0.0) - density.coefficients
    neutral = np.random.default_rng(0).normal(size=len(charges))
    neutral -= charges * (charges @ neutral) / (charges @ charges)
    assert abs(neutral @ matrix @ change) < 1e-7 * np.sqrt(neutral @ matrix @ neutral)


def test_singular_metric_is_refused(random_density: MakeDensity) -> None:
    twice = random_density([[0, 0, 0], [0, 0, 0]], exponents=(0.4,))
    with pytest.raises(DensityError, match="coincide"):
        _fit(twice, charge=1.0, ridge=0.0)


def test_nan_metric_is_refused() -> None:
    with pytest.raises(DensityError, match="NaN"):
        charge_constrained_fit(np.full((2, 2), np.nan), np.ones(2), np.ones(2), charge=1.0)


@pytest.mark.parametrize("function", [coulomb_matrix, overlap_matrix])
def test_periodic_densities_are_refused(
    random_density: MakeDensity, function: Callable[..., NDArray[np.float64]]
) -> None:
    with pytest.raises(DensityError, match="periodic"):
        function(random_density(cell=5 * np.eye(3), pbc=(True, False, False)))
