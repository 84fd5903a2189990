"""Real harmonics: orthonormality, conventions, quadrature."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from e3nn import o3

from scdp_models.harmonics import (
    gaunt,
    monomial_exponents,
    real_harmonics,
    solid_harmonic_matrix,
    solid_harmonics,
    sphere_quadrature,
)


def test_harmonics_are_orthonormal() -> None:
    points, weights = sphere_quadrature(8, 15)
    harmonics = real_harmonics(points, 7)
    overlap = (harmonics * weights[:, None]).T @ harmonics
    np.testing.assert_allclose(overlap, np.eye(64), atol=1e-13)


@pytest.mark.parametrize("l", range(7))
def test_harmonics_are_those_of_e3nn_with_permuted_axes(l: int, rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(20, 3))
    permuted = torch.as_tensor(vectors[:, [1, 2, 0]])
    expected = o3.spherical_harmonics(l, permuted, normalize=False, normalization="integral")
    np.testing.assert_allclose(solid_harmonics(vectors, l), expected.numpy(), atol=1e-12)


def test_order_of_p_is_y_z_x() -> None:
    np.testing.assert_allclose(
        solid_harmonics(np.array([2.0, 3.0, 5.0]), 1), np.sqrt(3 / (4 * pi)) * np.array([3, 5, 2])
    )


def test_torch_gives_what_numpy_gives(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(4, 5, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    found = real_harmonics(torch.as_tensor(vectors), 6)
    np.testing.assert_allclose(found.numpy(), real_harmonics(vectors, 6), atol=1e-13)


def test_torch_harmonics_have_gradients() -> None:
    vector = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: solid_harmonics(v, 4), vector)


@pytest.mark.parametrize("l", [2, 5])
def test_solid_harmonics_are_harmonic(l: int) -> None:
    # The Laplacian maps monomials of degree l to degree l - 2; it must map every S_lm to zero.
    columns = {tuple(e): n for n, e in enumerate(monomial_exponents(l - 2).tolist())}
    laplacian = np.zeros((len(monomial_exponents(l)), len(columns)))
    for row, powers in enumerate(monomial_exponents(l)):
        for axis in np.flatnonzero(powers >= 2):
            lower = powers - 2 * np.eye(3, dtype=int)[axis]
            laplacian[row, columns[tuple(lower.tolist())]] += powers[axis] * (powers[axis] - 1)
    np.testing.assert_allclose(solid_harmonic_matrix(l) @ laplacian, 0.0, atol=1e-12)


@pytest.mark.parametrize("l", range(7))
def test_unsoeld(l: int, rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(10, 3))
    squares = (solid_harmonics(vectors, l) ** 2).sum(-1)
    expected = (2 * l + 1) / (4 * pi) * (vectors**2).sum(-1) ** l
    np.testing.assert_allclose(squares, expected, rtol=1e-12)


def test_quadrature_is_exact_to_its_degree() -> None:
    points, weights = sphere_quadrature(4, 8)
    assert weights.sum() == pytest.approx(4 * pi)
    moments = weights @ real_harmonics(points, 7)
    np.testing.assert_allclose(moments[1:], 0.0, atol=1e-13)


def test_quadrature_fails_beyond_its_degree() -> None:
    points, weights = sphere_quadrature(2, 4)
    moments = weights @ solid_harmonics(points, 4)
    assert np.abs(moments).max() > 0.1


@pytest.mark.parametrize("ls", [(1, 1, 1), (0, 1, 2), (1, 2, 5), (2, 3, 4)])
def test_gaunt_selection_rules(ls: tuple[int, int, int]) -> None:
    # Zero for an odd sum (parity) and outside of the triangle.
    np.testing.assert_allclose(gaunt(*ls), 0.0, atol=1e-14)


def test_gaunt_with_a_constant_is_the_unit_matrix() -> None:
    np.testing.assert_allclose(gaunt(3, 0, 3)[:, 0], np.eye(7) / np.sqrt(4 * pi), atol=1e-14)


def test_gaunt_expands_products(rng: np.random.Generator) -> None:
    vector = rng.normal(size=3)
    vector /= np.linalg.norm(vector)
    product = np.outer(solid_harmonics(vector, 2), solid_harmonics(vector, 3))
    expanded = sum(gaunt(2, 3, l) @ solid_harmonics(vector, l) for l in (1, 3, 5))
    np.testing.assert_allclose(expanded, product, atol=1e-13)
