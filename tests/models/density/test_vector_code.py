"""The hand-written vector loops compute what their formulas say."""

from __future__ import annotations

import numba
import numpy as np

from scdp_models.density.vector_code import N_Y, N_Z, add_products, set_polynomial


@numba.njit
def _products(
    y: np.ndarray, z: np.ndarray, out: np.ndarray, edge: tuple[np.ndarray, np.ndarray], n: int
) -> None:  # pragma: no cover - compiled
    add_products((y, z), out, edge[0], edge[1], (0, N_Z, n, 3, 20, 2))


@numba.njit
def _polynomial(
    out: np.ndarray, terms: np.ndarray, z: np.ndarray, factors: np.ndarray
) -> None:  # pragma: no cover - compiled
    set_polynomial(out, terms, z, factors, (8, 1, 4, 8, 0))


def test_products_are_summed_inside_the_edge() -> None:
    generator = np.random.default_rng(0)
    y, z = generator.normal(size=(5, N_Y)), generator.normal(size=(6, N_Z))
    limits, squares = np.full(N_Y, 3.5), np.arange(N_Z + 2) - 2.0
    limits[1] = -1.0
    out = np.zeros(200)
    _products(y.ravel(), z.ravel(), out, (limits, squares), 5)
    expected = y.T @ z[1:]
    expected[:, 4:], expected[1] = 0.0, 0.0
    places = 3 + 20 * np.arange(N_Y)[:, None] + np.arange(N_Z)
    np.testing.assert_allclose(out[places], expected, rtol=1e-13)
    assert np.count_nonzero(out) == 20


def test_polynomial_is_that_of_its_coefficients() -> None:
    generator = np.random.default_rng(0)
    terms, z, factors = (generator.normal(size=n) for n in (6, 16, 8))
    out = np.zeros(24)
    _polynomial(out, terms, z, factors)
    expected = factors * np.polynomial.polynomial.polyval(z[8:], terms[1:5])
    np.testing.assert_allclose(out[8:16], expected, rtol=1e-13)
    assert not out[:8].any()
