"""Output scales learnt from the labels: the network predicts decorrelated, unit-size numbers.

Per species and degree, with V = L L' the Coulomb metric among the shells of one centre,
x = L' (c - mean) turns the metric into the identity, and z = components of x along its principal
axes, divided by their standard deviations, are what the network has to learn:
c = mean + L^-T U diag(w) z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import shell_charge
from scdp_models.density.coulomb import coulomb_matrix
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from scdp_models.basis.shells import BasisSet, ElementBasis

__all__ = ["ShellTransform", "Whitening", "fit_whitening", "neutral_direction"]

_SMALLEST_SCALE = 1e-3
# Keeps the metric of dense series (beta 1.3: condition 1e17) positive definite, and L^-T of a size
# that float32 can take.
_RIDGE = 1e-9


@dataclass(frozen=True)
class ShellTransform:
    """c = mean + matrix z for the shells of one species and degree.

    Attributes
    ----------
    matrix
        Shape ``(n_shells, n_shells)``.
    mean
        Shape ``(n_shells,)``; zero unless l = 0, since a mean of l > 0 would not be equivariant.
    """

    matrix: NDArray[np.float64]
    mean: NDArray[np.float64]


Whitening = dict[tuple[int, int], ShellTransform]
"""(species, degree) → transform."""


def _one_centre_metric(shells: ElementBasis, l: int) -> NDArray[np.float64]:
    """Return the Coulomb metric among the m = 0 functions of one degree on one centre."""
    exponents = [a for degree, a in zip(shells.ls, shells.exponents, strict=True) if degree == l]
    n = len(exponents)
    alone = OrbitalDensity(
        numbers=np.zeros(1, dtype=np.int64),
        positions=np.zeros((1, 3)),
        shell_centres=np.zeros(n, dtype=np.int64),
        shell_ls=np.full(n, l),
        shell_exponents=np.array(exponents),
        coefficients=np.zeros(n * (2 * l + 1)),
    )
    rows = np.arange(n) * (2 * l + 1) + l
    return coulomb_matrix(alone)[np.ix_(rows, rows)]


def neutral_direction(shells: ElementBasis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how a centre takes up one electron at the least Coulomb energy.

    Returns
    -------
    direction, charges : numpy.ndarray
        Shape ``(n_s_shells,)``: V_ss^-1 q, and q itself (integral of each s function).
    """
    exponents = [a for l, a in zip(shells.ls, shells.exponents, strict=True) if l == 0]
    charges = shell_charge(0, exponents)
    metric = _one_centre_metric(shells, 0)
    metric += 1e-6 * np.diag(np.diag(metric))
    return np.asarray(np.linalg.solve(metric, charges)), charges


def _transform(shells: ElementBasis, l: int, values: NDArray[np.float64]) -> ShellTransform:
    """Whiten the coefficients `values` of shape ``(n_atoms, n_shells, 2 l + 1)``."""
    mean = values.mean(axis=(0, 2)) if l == 0 else np.zeros(values.shape[1])
    metric = _one_centre_metric(shells, l)
    lower = np.linalg.cholesky(metric + _RIDGE * np.diag(np.diag(metric)))
    x = np.einsum("ji,njm->nmi", lower, values - mean[None, :, None]).reshape(-1, values.shape[1])
    second_moment = x.T @ x / max(len(x), 1)
    variances, axes = np.linalg.eigh(second_moment)
    scales = np.sqrt(np.maximum(variances, 0.0))
    scales = np.maximum(scales, _SMALLEST_SCALE * max(scales.max(), 1e-12))
    return ShellTransform(np.linalg.solve(lower.T, axes * scales), mean)


def fit_whitening(
    basis: BasisSet, samples: Iterable[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> Whitening:
    """Learn the transforms from fitted coefficients.

    Parameters
    ----------
    basis
        Basis of the coefficients.
    samples
        Pairs of species ``(n,)`` and flat coefficients ``(n_functions,)``.

    Raises
    ------
    TrainingError
        If there are no samples, or a species of the basis never occurs in them.
    """
    collected: dict[int, list[NDArray[np.float64]]] = {z: [] for z in basis.species}
    for numbers, coefficients in samples:
        start = 0
        for z in np.asarray(numbers).tolist():
            stop = start + basis.for_species(z).n_functions
            collected[z].append(coefficients[start:stop])
            start = stop
    missing = [z for z, rows in collected.items() if not rows]
    if missing:
        msg = f"no training structure contains species {missing}; restrict the basis or add data"
        raise TrainingError(msg)
    whitening: Whitening = {}
    for z, rows in collected.items():
        shells, table, start = basis.for_species(z), np.stack(rows), 0
        for l in sorted(set(shells.ls)):
            count = shells.count(l)
            stop = start + count * (2 * l + 1)
            values = table[:, start:stop].reshape(len(table), count, 2 * l + 1)
            whitening[z, l] = _transform(shells, l, values)
            start = stop
    return whitening
