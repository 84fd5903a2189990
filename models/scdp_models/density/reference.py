"""The plain way to a density at points: every function at every point, in float64.

Slow and simple on purpose; the faster kernels are tested against it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.density.grids import checked_points
from scdp_models.density.images import first_image, image_shifts, periodic_vectors
from scdp_models.density.screening import tail_radii
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
    """Shells of one centre, degree and about the same reach (Å).

    Exponents have the shape ``(n,)``, weights ``(n, 2 l + 1)``.
    """

    reach: float
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
    points = checked_points(points)
    # Rows: the density and, on request, its three derivatives.
    values = np.zeros((4 if gradient else 1, len(points)))
    lattice = periodic_vectors(density)
    for centre, groups in _groups_by_centre(density, _reach(density, cutoff)):
        images = image_shifts(lattice, max(group.reach for group in groups))
        step = max(1, chunk // max(1, len(images)))
        for start in range(0, len(points), step):
            part = slice(start, start + step)
            vectors = first_image(points[part] - density.positions[centre], lattice)
            values[:, part] += _sum_pairs(groups, vectors[:, None] - images, gradient=gradient)
    values /= BOHR_TO_ANGSTROM**3
    return (values[0], values[1:].T / BOHR_TO_ANGSTROM) if gradient else values[0]


def _reach(density: OrbitalDensity, cutoff: float | None) -> NDArray[np.float64]:
    """Return the distance in Å within which each shell is evaluated."""
    if cutoff is not None:
        return np.full(len(density.shell_ls), float(cutoff))
    if not any(density.pbc):
        return np.full(len(density.shell_ls), np.inf)
    return tail_radii(density, _NEGLIGIBLE)


def _groups_by_centre(
    density: OrbitalDensity, reach: NDArray[np.float64]
) -> Iterator[tuple[int, list[_ShellGroup]]]:
    """Yield the shells of each centre, those that can be seen at all."""
    norms, offsets = radial_norm(density.shell_ls, density.shell_exponents), density.shell_offsets
    seen = np.flatnonzero(reach > 0)
    for centre in np.unique(density.shell_centres[seen]).tolist():
        own = seen[density.shell_centres[seen] == centre]
        keys = np.stack([density.shell_ls[own], np.ceil(2 * np.log2(reach[own]))])
        groups = []
        for key in np.unique(keys, axis=1).T:
            shells = own[(keys == key[:, None]).all(axis=0)]
            l = int(key[0])
            columns = offsets[shells][:, None] + np.arange(2 * l + 1)
            weights = norms[shells][:, None] * density.coefficients[columns]
            exponents = density.shell_exponents[shells]
            groups.append(_ShellGroup(float(reach[shells].max()), l, exponents, weights))
        yield centre, groups


def _sum_pairs(
    groups: list[_ShellGroup], vectors: NDArray[np.float64], *, gradient: bool
) -> NDArray[np.float64]:
    """Add up the shells of one centre and its images at points.

    Takes vectors of shape ``(n_points, n_images, 3)`` in Å and returns ``(1 or 4, n_points)`` in
    e/bohr^3 and e/bohr^4.
    """
    n_points, n_images = vectors.shape[:2]
    total = np.zeros((4 if gradient else 1, n_points))
    vectors = vectors.reshape(-1, 3) / BOHR_TO_ANGSTROM
    squares, points = (vectors**2).sum(axis=1), np.repeat(np.arange(n_points), n_images)
    for group in groups:
        near = np.flatnonzero(squares < (group.reach / BOHR_TO_ANGSTROM) ** 2)
        rows = [_group_density(group, vectors[near])]
        if gradient:
            rows.extend(_group_gradient(group, vectors[near]).T)
        for n, row in enumerate(rows):
            total[n] += np.bincount(points[near], row, n_points)
    return total


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
