"""The plain way to a density at points: every function at every point, in float64.

Slow and simple on purpose; the faster kernels are tested against it.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.density.screening import tail_radii
from scdp_models.errors import DensityError
from scdp_models.harmonics import monomial_exponents, solid_harmonic_matrix, solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["pairwise_density"]

# Lattice sums of periodic densities end where each shell has fallen below this, in e/Å^3.
_NEGLIGIBLE = 1e-14


class _ShellGroup(NamedTuple):
    """The shells of one centre and degree: exponents ``(n,)`` and weights ``(n, 2 l + 1)``."""

    l: int
    exponents: NDArray[np.float64]
    weights: NDArray[np.float64]


@overload
def pairwise_density(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: Literal[False] = False,
    cutoff: float | None = None,
    chunk: int = 20_000,
) -> NDArray[np.float64]: ...


@overload
def pairwise_density(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: Literal[True],
    cutoff: float | None = None,
    chunk: int = 20_000,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...


def pairwise_density(
    density: OrbitalDensity,
    points: ArrayLike,
    *,
    gradient: bool = False,
    cutoff: float | None = None,
    chunk: int = 20_000,
) -> NDArray[np.float64] | tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Evaluate a density, and on request its gradient, function by function.

    Parameters
    ----------
    density
        Molecular or periodic; the points need not lie in the cell.
    points
        Shape ``(n_points, 3)``, Å.
    gradient
        Whether to return the gradient too.
    cutoff
        Å; a function does not reach points at this distance from its centre or beyond. When left
        out, all do in a molecule, and in a periodic density all above 1e-14 e/Å^3.
    chunk
        Points handled at once, which bounds the memory.

    Returns
    -------
    density : numpy.ndarray
        Shape ``(n_points,)``, e/Å^3.
    gradient : numpy.ndarray
        Shape ``(n_points, 3)``, e/Å^4; only where asked for.

    Raises
    ------
    DensityError
        If the points have another shape or are not finite.
    """
    points = _checked_points(points)
    values, slopes = np.zeros(len(points)), np.zeros((len(points) if gradient else 0, 3))
    reach = _reach(density, cutoff)
    for centre, groups in _groups_by_centre(density):
        for start in range(0, len(points), chunk):
            part = slice(start, start + chunk)
            for shift in _image_shifts(density, centre, points[part], reach[centre]):
                vectors = points[part] - (density.positions[centre] + shift)
                near = start + np.flatnonzero((vectors**2).sum(1) < reach[centre] ** 2)
                bohr = vectors[near - start] / BOHR_TO_ANGSTROM
                for group in groups:
                    values[near] += _group_density(group, bohr)
                    if gradient:
                        slopes[near] += _group_gradient(group, bohr)
    values /= BOHR_TO_ANGSTROM**3
    return (values, slopes / BOHR_TO_ANGSTROM**4) if gradient else values


def _checked_points(points: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        msg = f"points have shape {points.shape}, expected (n_points, 3) in Å"
        raise DensityError(msg)
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        msg = f"{bad} of {len(points)} points hold NaN or infinity; give finite ones in Å"
        raise DensityError(msg)
    return points


def _reach(density: OrbitalDensity, cutoff: float | None) -> NDArray[np.float64]:
    """Return the distance in Å within which the functions of each centre are evaluated."""
    if cutoff is not None:
        return np.full(len(density.numbers), float(cutoff))
    if not any(density.pbc):
        return np.full(len(density.numbers), np.inf)
    reach = np.zeros(len(density.numbers))
    np.maximum.at(reach, density.shell_centres, tail_radii(density, _NEGLIGIBLE))
    return reach


def _groups_by_centre(density: OrbitalDensity) -> Iterator[tuple[int, list[_ShellGroup]]]:
    norms = radial_norm(density.shell_ls, density.shell_exponents)
    for centre in np.unique(density.shell_centres).tolist():
        groups = []
        for l in np.unique(density.shell_ls[density.shell_centres == centre]).tolist():
            shells = np.flatnonzero((density.shell_centres == centre) & (density.shell_ls == l))
            columns = density.shell_offsets[shells][:, None] + np.arange(2 * l + 1)
            weights = norms[shells][:, None] * density.coefficients[columns]
            groups.append(_ShellGroup(l, density.shell_exponents[shells], weights))
        yield centre, groups


def _image_shifts(
    density: OrbitalDensity, centre: int, points: NDArray[np.float64], reach: float
) -> Iterator[NDArray[np.float64]]:
    """Yield the lattice translations, in Å, that may bring a centre within reach of a point."""
    periodic = np.array(density.pbc)
    if density.cell is None or not periodic.any():
        yield np.zeros(3)
        return
    lattice = density.cell[periodic]
    # Rows of the dual basis: a sphere of radius r spans r |dual| in the fractional coordinate.
    dual = np.linalg.pinv(lattice).T
    fractions = (points - density.positions[centre]) @ dual.T
    margin = reach * np.linalg.norm(dual, axis=1)
    first = np.ceil(fractions.min(0) - margin).astype(int)
    last = np.floor(fractions.max(0) + margin).astype(int)
    for image in product(*(range(a, b + 1) for a, b in zip(first, last, strict=True))):
        yield np.asarray(image, dtype=float) @ lattice


def _group_density(group: _ShellGroup, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sum over shells and m of c N S_lm(d) exp(-a d^2), e/bohr^3, for d in bohr."""
    exponentials = np.exp(-np.outer((vectors**2).sum(1), group.exponents))
    radial = exponentials @ group.weights
    return np.asarray((solid_harmonics(vectors, group.l) * radial).sum(1))


def _group_gradient(group: _ShellGroup, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gradient of :func:`_group_density` by the product rule, e/bohr^4."""
    exponentials = np.exp(-np.outer((vectors**2).sum(1), group.exponents))
    radial = exponentials @ group.weights
    slope = exponentials @ (-2 * group.exponents[:, None] * group.weights)
    along = (solid_harmonics(vectors, group.l) * slope).sum(1)
    angular = np.einsum("pdm,pm->pd", _harmonic_gradients(vectors, group.l), radial)
    return np.asarray(angular + vectors * along[:, None])


@lru_cache(maxsize=32)
def _harmonic_gradient_matrix(l: int) -> NDArray[np.float64]:
    """Expand the derivatives of r^l Y_lm in monomials of degree l - 1.

    Returns an array of shape ``(3, 2 l + 1, n_monomials(l - 1))``.
    """
    lower = {tuple(row): n for n, row in enumerate(monomial_exponents(l - 1).tolist())}
    matrix = np.zeros((3, 2 * l + 1, len(lower)))
    columns = solid_harmonic_matrix(l).T
    for powers, column in zip(monomial_exponents(l).tolist(), columns, strict=True):
        for axis in range(3):
            if powers[axis]:
                reduced = tuple(p - (n == axis) for n, p in enumerate(powers))
                matrix[axis, :, lower[reduced]] += powers[axis] * column
    return matrix


def _harmonic_gradients(vectors: NDArray[np.float64], l: int) -> NDArray[np.float64]:
    """Return the gradients of r^l Y_lm, shape ``(n_points, 3, 2 l + 1)``."""
    if l == 0:
        return np.zeros((len(vectors), 3, 1))
    i, j, k = monomial_exponents(l - 1).T
    powers = np.stack([vectors**p for p in range(l)])
    monomials = powers[i, :, 0] * powers[j, :, 1] * powers[k, :, 2]
    matrix = _harmonic_gradient_matrix(l)
    return np.asarray(np.einsum("cp,amc->pam", monomials, matrix, optimize=True))
