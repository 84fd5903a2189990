"""Real spherical harmonics as polynomials, and exact quadrature on the sphere.

Harmonics are orthonormal on the unit sphere, without Condon-Shortley phase, polar axis z, ordered
m = -l..l (negative m carry the sines), so that the l = 1 order is (y, z, x). This is the order of
most quantum-chemistry codes for l >= 2.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, factorial, pi, sqrt
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

__all__ = [
    "gaunt",
    "monomial_exponents",
    "real_harmonics",
    "solid_harmonic_matrix",
    "solid_harmonics",
    "sphere_quadrature",
]

Monomial = tuple[int, int, int]
Polynomial = dict[Monomial, float]
ArrayT = TypeVar("ArrayT", "NDArray[np.float64]", "torch.Tensor")


def _multiply(a: Mapping[Monomial, float], b: Mapping[Monomial, float]) -> Polynomial:
    out: Polynomial = {}
    for (i1, j1, k1), u in a.items():
        for (i2, j2, k2), v in b.items():
            key = (i1 + i2, j1 + j2, k1 + k2)
            out[key] = out.get(key, 0.0) + u * v
    return out


def _azimuthal(m: int) -> Polynomial:
    """Return Re (x + iy)^m for m >= 0, Im (x + iy)^|m| for m < 0."""
    n = abs(m)
    out: Polynomial = {}
    for k in range(n + 1):
        if (k % 2 == 0) == (m >= 0):
            out[(n - k, k, 0)] = float(comb(n, k)) * (-1.0) ** (k // 2)
    return out


def _polar(l: int, m: int) -> Polynomial:
    """Return the z-dependent factor of r^l P_l^m / (x^2 + y^2)^(m/2) as a polynomial."""
    out: Polynomial = {}
    radius_squared: Polynomial = {(2, 0, 0): 1.0, (0, 2, 0): 1.0, (0, 0, 2): 1.0}
    for k in range((l - m) // 2 + 1):
        weight = (-1) ** k * comb(l, k) * comb(2 * l - 2 * k, l)
        weight *= factorial(l - 2 * k) // factorial(l - 2 * k - m)
        term: Polynomial = {(0, 0, l - 2 * k - m): weight / 2.0**l}
        for _ in range(k):
            term = _multiply(term, radius_squared)
        for key, value in term.items():
            out[key] = out.get(key, 0.0) + value
    return out


@lru_cache(maxsize=32)
def monomial_exponents(l: int) -> NDArray[np.int64]:
    """List the exponents (i, j, k) of all monomials x^i y^j z^k of degree `l`.

    Returns
    -------
    numpy.ndarray
        Shape ``((l + 1)(l + 2) / 2, 3)``; i descending, then j descending.
    """
    rows = [(i, j, l - i - j) for i in range(l, -1, -1) for j in range(l - i, -1, -1)]
    return np.array(rows, dtype=np.int64)


@lru_cache(maxsize=32)
def solid_harmonic_matrix(l: int) -> NDArray[np.float64]:
    """Expand r^l Y_lm in monomials of degree `l`.

    Returns
    -------
    numpy.ndarray
        Shape ``(2 l + 1, n_monomials)``, columns as in :func:`monomial_exponents`.

    Notes
    -----
    Normalisation and closed form of the associated Legendre functions: Abramowitz and Stegun,
    section 22.3, with sqrt((2l + 1)/(4 pi)) sqrt(2 (l - m)!/(l + m)!) for m > 0.
    """
    columns = {tuple(row): n for n, row in enumerate(monomial_exponents(l).tolist())}
    matrix = np.zeros((2 * l + 1, len(columns)))
    for m in range(-l, l + 1):
        n = abs(m)
        norm = sqrt((2 * l + 1) / (4 * pi) * (2 if m else 1) * factorial(l - n) / factorial(l + n))
        for key, value in _multiply(_polar(l, n), _azimuthal(m)).items():
            matrix[m + l, columns[key]] += norm * value
    return matrix


def solid_harmonics(vectors: ArrayT, l: int) -> ArrayT:
    """Evaluate r^l Y_lm of one degree.

    Parameters
    ----------
    vectors
        Array or tensor of shape ``(..., 3)``.
    l
        Degree.

    Returns
    -------
    same type as `vectors`
        Shape ``(..., 2 l + 1)``.
    """
    matrix = solid_harmonic_matrix(l)
    if isinstance(vectors, np.ndarray):
        return _numpy_solid_harmonics(vectors, l, matrix)
    return _torch_solid_harmonics(vectors, l, matrix)


def _numpy_solid_harmonics(
    vectors: NDArray[np.float64], l: int, matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    powers = np.stack([vectors**p for p in range(l + 1)])
    i, j, k = monomial_exponents(l).T
    monomials = powers[i, ..., 0] * powers[j, ..., 1] * powers[k, ..., 2]
    return np.asarray(np.tensordot(monomials, matrix, axes=([0], [1])))


def _torch_solid_harmonics(
    vectors: torch.Tensor, l: int, matrix: NDArray[np.float64]
) -> torch.Tensor:
    import torch

    powers = [torch.ones_like(vectors)]
    for _ in range(l):
        powers.append(powers[-1] * vectors)
    rows = monomial_exponents(l).tolist()
    monomials = [powers[i][..., 0] * powers[j][..., 1] * powers[k][..., 2] for i, j, k in rows]
    return torch.stack(monomials, -1) @ torch.as_tensor(matrix.T).to(vectors)


def real_harmonics(vectors: ArrayT, lmax: int) -> ArrayT:
    """Evaluate Y_lm of unit vectors for l = 0..lmax.

    Parameters
    ----------
    vectors
        Unit vectors, shape ``(..., 3)``.
    lmax
        Highest degree.

    Returns
    -------
    same type as `vectors`
        Shape ``(..., (lmax + 1)^2)``.
    """
    blocks = [solid_harmonics(vectors, l) for l in range(lmax + 1)]
    if isinstance(vectors, np.ndarray):
        return np.concatenate(blocks, axis=-1)
    import torch

    return torch.cat(blocks, dim=-1)


@lru_cache(maxsize=32)
def sphere_quadrature(
    n_polar: int, n_azimuth: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Build a Gauss-Legendre times uniform product rule on the unit sphere.

    It integrates spherical polynomials exactly up to degree
    ``min(2 n_polar - 1, n_azimuth - 1)``.

    Returns
    -------
    points : numpy.ndarray
        Shape ``(n_polar * n_azimuth, 3)``.
    weights : numpy.ndarray
        Shape ``(n_polar * n_azimuth,)``; they sum to 4 pi.
    """
    cosine, weight = np.polynomial.legendre.leggauss(n_polar)
    azimuth = 2 * pi * np.arange(n_azimuth) / n_azimuth
    sine = np.sqrt(1 - cosine**2)
    points = np.stack(
        [
            np.outer(sine, np.cos(azimuth)),
            np.outer(sine, np.sin(azimuth)),
            np.outer(cosine, np.ones(n_azimuth)),
        ],
        axis=-1,
    )
    weights = np.outer(weight, np.full(n_azimuth, 2 * pi / n_azimuth))
    return points.reshape(-1, 3), weights.reshape(-1)


@lru_cache(maxsize=256)
def gaunt(l1: int, l2: int, l3: int) -> NDArray[np.float64]:
    """Integrate the product of three real harmonics over the sphere.

    Returns
    -------
    numpy.ndarray
        Shape ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)``.
    """
    degree = l1 + l2 + l3
    points, weights = sphere_quadrature(degree // 2 + 1, degree + 1)
    y1, y2, y3 = (solid_harmonics(points, l) for l in (l1, l2, l3))
    return np.asarray(np.einsum("p,pa,pb,pc->abc", weights, y1, y2, y3, optimize=True))
