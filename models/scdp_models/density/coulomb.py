"""Overlap and Coulomb integrals between Gaussian shells, and least squares in the Coulomb metric.

A solid-harmonic Gaussian is a differential operator applied to an s Gaussian (Hobson's theorem),
S_lm(grad_A) exp(-a |r - A|^2) = (2a)^l S_lm(r - A) exp(-a |r - A|^2), and a product of two such
operators expands in Gaunt coefficients,
S_l1(D) S_l2(D) = sum_L G (D^2)^((l1 + l2 - L)/2) S_L(D). Acting on the s-s integral, a function of
mu R^2 with mu = ab/(a + b), each term has a closed form: a Boys function for L = l1 + l2, a
Laguerre polynomial times exp(-mu R^2) otherwise.
"""

from __future__ import annotations

from math import factorial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import eval_genlaguerre, gamma, gammainc

from scdp_models.basis.shells import radial_norm
from scdp_models.errors import DensityError
from scdp_models.harmonics import gaunt, solid_harmonics

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = [
    "boys",
    "charge_constrained_fit",
    "coulomb_error",
    "coulomb_matrix",
    "overlap_matrix",
]


def boys(order: int, argument: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the Boys function F_n(T) = integral over [0, 1] of t^(2n) exp(-T t^2).

    Parameters
    ----------
    order
        n.
    argument
        T >= 0, any shape.

    Notes
    -----
    Through the regularised lower incomplete gamma function; below T = 1e-3 by its series
    (Helgaker, Jørgensen, Olsen, *Molecular Electronic-Structure Theory*, section 9.8).
    """
    t = np.asarray(argument, dtype=np.float64)
    half = order + 0.5
    series = sum((-t) ** k / (factorial(k) * (2 * order + 2 * k + 1)) for k in range(5))
    safe = np.maximum(t, 1e-3)
    closed = gamma(half) * gammainc(half, safe) / (2 * safe**half)
    return np.asarray(np.where(t < 1e-3, series, closed))


class _Pairs(NamedTuple):
    """Shell pairs of two degrees: arrays of shape ``(n_a, n_b)`` and centre-pair indices."""

    mu: NDArray[np.float64]
    t: NDArray[np.float64]
    prefactor: NDArray[np.float64]


def _coulomb_radial(total: int, n: int, pairs: _Pairs) -> NDArray[np.float64]:
    if n == 0:
        return (-2 * pairs.mu) ** total * boys(total, pairs.t)
    tail = eval_genlaguerre(n - 1, total + 0.5, pairs.t) * np.exp(-pairs.t)
    power = (-2 * pairs.mu) ** (total + 1) * (-4 * pairs.mu) ** (n - 1)
    return np.asarray(power * factorial(n - 1) * tail)


def _overlap_radial(total: int, n: int, pairs: _Pairs) -> NDArray[np.float64]:
    tail = eval_genlaguerre(n, total + 0.5, pairs.t) * np.exp(-pairs.t)
    return np.asarray((-2 * pairs.mu) ** total * (-4 * pairs.mu) ** n * factorial(n) * tail)


def _coulomb_ss(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2 * np.pi**2.5 / (a * b * np.sqrt(a + b)))


def _overlap_ss(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((np.pi / (a + b)) ** 1.5)


def _pairs(
    a: OrbitalDensity,
    b: OrbitalDensity,
    shells: tuple[NDArray[np.int64], NDArray[np.int64]],
    ss: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[_Pairs, NDArray[np.float64]]:
    """Return the radial arrays of two groups of shells, and the vectors between centres."""
    ia, ib = shells
    ea, eb = a.shell_exponents[ia][:, None], b.shell_exponents[ib][None, :]
    la, lb = int(a.shell_ls[ia[0]]), int(b.shell_ls[ib[0]])
    vectors = a.shell_positions_bohr[ia][:, None] - b.shell_positions_bohr[ib][None]
    mu = ea * eb / (ea + eb)
    scale = radial_norm(la, ea) / (2 * ea) ** la * radial_norm(lb, eb) / (-2 * eb) ** lb
    return _Pairs(mu, mu * (vectors**2).sum(-1), scale * ss(ea, eb)), vectors


def _block(
    la: int,
    lb: int,
    pairs: _Pairs,
    vectors: NDArray[np.float64],
    radial: Callable[[int, int, _Pairs], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Contract angular and radial parts to shape ``(n_a, 2 la + 1, n_b, 2 lb + 1)``."""
    n_a, n_b = pairs.mu.shape
    out = np.zeros((n_a, n_b, (2 * la + 1) * (2 * lb + 1)))
    for total in range(abs(la - lb), la + lb + 1, 2):
        factor = pairs.prefactor * radial(total, (la + lb - total) // 2, pairs)
        angular = solid_harmonics(vectors, total) * factor[..., None]
        coupling = gaunt(la, lb, total).reshape(-1, 2 * total + 1)
        out += angular @ coupling.T
    return out.reshape(n_a, n_b, 2 * la + 1, 2 * lb + 1).transpose(0, 2, 1, 3)


def _matrix(
    a: OrbitalDensity,
    b: OrbitalDensity,
    ss: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    radial: Callable[[int, int, _Pairs], NDArray[np.float64]],
) -> NDArray[np.float64]:
    out = np.zeros((a.n_functions, b.n_functions))
    symmetric = a is b
    for la in np.unique(a.shell_ls).tolist():
        ia = np.flatnonzero(a.shell_ls == la)
        rows = (a.shell_offsets[ia][:, None] + np.arange(2 * la + 1)).ravel()
        for lb in np.unique(b.shell_ls).tolist():
            if symmetric and lb < la:
                continue
            ib = np.flatnonzero(b.shell_ls == lb)
            columns = (b.shell_offsets[ib][:, None] + np.arange(2 * lb + 1)).ravel()
            pairs, vectors = _pairs(a, b, (ia, ib), ss)
            block = _block(la, lb, pairs, vectors, radial).reshape(len(rows), len(columns))
            out[np.ix_(rows, columns)] = block
            if symmetric and lb > la:
                out[np.ix_(columns, rows)] = block.T
    return out


def _refuse_periodic(*densities: OrbitalDensity) -> None:
    if any(any(density.pbc) for density in densities):
        msg = "closed-form integrals are for molecules; this density is periodic (use rho(G) sums)"
        raise DensityError(msg)


def coulomb_matrix(a: OrbitalDensity, b: OrbitalDensity | None = None) -> NDArray[np.float64]:
    """Return (P|Q) = integral of P(r) Q(r') / |r - r'| between the functions of two densities.

    Parameters
    ----------
    a, b
        Coefficients are ignored; `b` defaults to `a`.

    Returns
    -------
    numpy.ndarray
        Shape ``(a.n_functions, b.n_functions)``, Hartree.

    Raises
    ------
    DensityError
        If a density is periodic.
    """
    other = a if b is None else b
    _refuse_periodic(a, other)
    return _matrix(a, other, _coulomb_ss, _coulomb_radial)


def overlap_matrix(a: OrbitalDensity, b: OrbitalDensity | None = None) -> NDArray[np.float64]:
    """Return the overlaps between the functions of two densities, shape ``(n_a, n_b)``.

    Raises
    ------
    DensityError
        If a density is periodic.
    """
    other = a if b is None else b
    _refuse_periodic(a, other)
    return _matrix(a, other, _overlap_ss, _overlap_radial)


def coulomb_error(a: OrbitalDensity, b: OrbitalDensity) -> float:
    """Return (a - b | a - b) / 2 in Hartree, the electrostatic energy of the difference."""
    difference = a - b
    return 0.5 * float(
        difference.coefficients @ coulomb_matrix(difference) @ difference.coefficients
    )


def charge_constrained_fit(
    matrix: NDArray[np.float64],
    right_hand_side: NDArray[np.float64],
    charges: NDArray[np.float64],
    *,
    charge: float,
    ridge: float = 1e-6,
) -> NDArray[np.float64]:
    """Fit coefficients in the metric `matrix` with the integral held at `charge`.

    Minimises c' V c / 2 - c' b + ridge * c' diag(V) c / 2 subject to q' c = charge.

    Parameters
    ----------
    matrix
        V, shape ``(n, n)``.
    right_hand_side
        b = (P|rho), shape ``(n,)``.
    charges
        q, integral of each function, shape ``(n,)``.
    charge
        Electrons the fit integrates to.
    ridge
        Fraction of the diagonal added to it.

    Raises
    ------
    DensityError
        If the metric is not positive definite (two centres on one place), or an input is NaN.
    """
    if not (np.isfinite(matrix).all() and np.isfinite(right_hand_side).all()):
        msg = "the metric or the right-hand side of the fit holds NaN or infinity"
        raise DensityError(msg)
    regular = matrix + np.diag(ridge * np.diag(matrix))
    try:
        factor = cho_factor(regular, lower=True)
    except LinAlgError as error:
        msg = "the Coulomb metric is singular: two centres coincide, or a shell is given twice"
        raise DensityError(msg) from error
    free = cho_solve(factor, right_hand_side)
    response = cho_solve(factor, charges)
    excess = charge - charges @ free
    return np.asarray(free + response * (excess / (charges @ response)))
