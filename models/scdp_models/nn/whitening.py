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
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from scdp_models.basis.shells import BasisSet, ElementBasis

__all__ = [
    "CoefficientMoments",
    "ShellTransform",
    "Whitening",
    "fit_whitening",
    "neutral_direction",
    "unfitted_whitening",
]

_SMALLEST_SCALE = 1e-3
# Keeps the metric of dense series (beta 1.3: condition 1e17) positive definite, and L^-T of a size
# that float32 can take.
_RIDGE = 1e-9
_FIT_RIDGE = 1e-6
# Root of the Coulomb energy (Ha) that one direction of a bonded atom typically holds.
_UNFITTED_SCALE = 0.03


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


def _alone(shells: ElementBasis, l: int) -> OrbitalDensity:
    """Return the shells of one degree at the origin."""
    exponents = [a for degree, a in zip(shells.ls, shells.exponents, strict=True) if degree == l]
    n = len(exponents)
    return OrbitalDensity(
        numbers=np.zeros(1, dtype=np.int64),
        positions=np.zeros((1, 3)),
        shell_centres=np.zeros(n, dtype=np.int64),
        shell_ls=np.full(n, l),
        shell_exponents=np.array(exponents),
        coefficients=np.zeros(n * (2 * l + 1)),
    )


def _one_centre_metric(shells: ElementBasis, l: int) -> NDArray[np.float64]:
    """Return the Coulomb metric among the m = 0 functions of one degree on one centre."""
    rows = np.arange(shells.count(l)) * (2 * l + 1) + l
    return coulomb_matrix(_alone(shells, l))[np.ix_(rows, rows)]


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


class _Moments:
    """Running sums over the coefficients of one species and degree.

    Parameters
    ----------
    n_shells, l
        Number of shells, and their degree.
    """

    def __init__(self, n_shells: int, l: int) -> None:
        self.l, self.count = l, 0
        # Sums are taken about the first sample, so that nothing cancels.
        self.origin = np.zeros(n_shells)
        self.first, self.second = np.zeros(n_shells), np.zeros((n_shells, n_shells))

    def add(self, values: NDArray[np.float64]) -> None:
        """Add the coefficients of atoms, shape ``(n_atoms, n_shells, 2 l + 1)``."""
        rows = values.transpose(0, 2, 1).reshape(-1, values.shape[1])
        if self.l == 0 and self.count == 0:
            self.origin = rows[0].copy()
        rows = rows - self.origin
        self.count += len(rows)
        self.first += rows.sum(0)
        self.second += rows.T @ rows

    def mean(self) -> NDArray[np.float64]:
        """Return the mean, zero unless l = 0."""
        return self.origin + self.first / self.count if self.l == 0 else np.zeros(len(self.first))

    def covariance(self) -> NDArray[np.float64]:
        """Return the second moments about the mean, shape ``(n_shells, n_shells)``."""
        shift = self.mean() - self.origin
        return self.second / self.count - np.outer(shift, shift)


class CoefficientMoments:
    """Means and second moments of the coefficients of a training set, gathered in one pass.

    Parameters
    ----------
    basis
        Basis of the coefficients.
    """

    def __init__(self, basis: BasisSet) -> None:
        self.basis = basis
        self._moments = {
            (z, l): _Moments(shells.count(l), l)
            for z, shells in basis.species.items()
            for l in sorted(set(shells.ls))
        }

    def add(self, numbers: NDArray[np.int64], coefficients: NDArray[np.float64]) -> None:
        """Add one structure: species ``(n,)`` and flat coefficients ``(n_functions,)``."""
        species = np.asarray(numbers)
        sizes = [self.basis.for_species(z).n_functions for z in species.tolist()]
        starts = np.cumsum(sizes) - sizes
        for z in np.unique(species).tolist():
            shells, offset = self.basis.for_species(z), 0
            table = coefficients[starts[species == z][:, None] + np.arange(shells.n_functions)]
            for l in sorted(set(shells.ls)):
                count = shells.count(l)
                stop = offset + count * (2 * l + 1)
                values = table[:, offset:stop].reshape(len(table), count, 2 * l + 1)
                self._moments[z, l].add(values)
                offset = stop

    def whitening(self) -> Whitening:
        """Return the transforms.

        Raises
        ------
        TrainingError
            If a species of the basis never occurred.
        """
        self._check()
        return self.known_whitening()

    def known_whitening(self) -> Whitening:
        """Return the transforms of those species that occurred."""
        return {
            (z, l): _transform(self.basis.for_species(z), l, moments)
            for (z, l), moments in self._moments.items()
            if moments.count
        }

    def spreads(self) -> dict[int, NDArray[np.float64]]:
        """Return the standard deviation of each coefficient of a species, ``(n_functions,)``.

        Those that never change count as little as the smallest that the transforms resolve.

        Raises
        ------
        TrainingError
            If a species of the basis never occurred.
        """
        self._check()
        found: dict[int, list[NDArray[np.float64]]] = {z: [] for z in self.basis.species}
        for (z, l), moments in self._moments.items():
            deviations = np.sqrt(np.maximum(np.diag(moments.covariance()), 0.0))
            floor = _SMALLEST_SCALE * max(deviations.max(), 1e-12)
            found[z].append(np.repeat(np.maximum(deviations, floor), 2 * l + 1))
        return {z: np.concatenate(rows) for z, rows in found.items()}

    def _check(self) -> None:
        missing = sorted({z for (z, _), moments in self._moments.items() if not moments.count})
        if missing:
            msg = (
                f"no training structure contains species {missing}; restrict the basis or add data"
            )
            raise TrainingError(msg)


def _transform(shells: ElementBasis, l: int, moments: _Moments) -> ShellTransform:
    metric = _one_centre_metric(shells, l)
    lower = np.linalg.cholesky(metric + _RIDGE * np.diag(np.diag(metric)))
    variances, axes = np.linalg.eigh(lower.T @ moments.covariance() @ lower)
    scales = np.sqrt(np.maximum(variances, 0.0))
    scales = np.maximum(scales, _SMALLEST_SCALE * max(scales.max(), 1e-12))
    return ShellTransform(np.linalg.solve(lower.T, axes * scales), moments.mean())


def fit_whitening(
    basis: BasisSet, samples: Iterable[tuple[NDArray[np.int64], NDArray[np.float64]]]
) -> Whitening:
    """Learn the transforms from fitted coefficients, one structure in memory at a time.

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
    moments = CoefficientMoments(basis)
    for numbers, coefficients in samples:
        moments.add(numbers, coefficients)
    return moments.whitening()


def unfitted_whitening(basis: BasisSet, means: Mapping[int, OrbitalDensity]) -> Whitening:
    """Make transforms where no label was fitted: every direction has the same Coulomb energy.

    Parameters
    ----------
    basis
        Basis of the coefficients.
    means
        Species → a spherical density at the origin to start from, such as the free atom for total
        densities; species left out start from zero.
    """
    whitening: Whitening = {}
    for z, shells in basis.species.items():
        for l in sorted(set(shells.ls)):
            metric = _one_centre_metric(shells, l)
            metric += _RIDGE * np.diag(np.diag(metric))
            mean = np.zeros(len(metric))
            if l == 0 and z in means:
                right = coulomb_matrix(_alone(shells, 0), means[z]) @ means[z].coefficients
                mean[:] = np.linalg.solve(metric + _FIT_RIDGE * np.diag(np.diag(metric)), right)
            lower = np.linalg.cholesky(metric)
            matrix = np.linalg.solve(lower.T, _UNFITTED_SCALE * np.eye(len(metric)))
            whitening[z, l] = ShellTransform(matrix, mean)
    return whitening
