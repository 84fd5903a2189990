"""Assertions on anything that predicts an orbital density, for our tests and for third parties.

Each takes ``predict(numbers, positions) -> OrbitalDensity`` and raises ``AssertionError`` with the
measured error. Densities are compared twice: coefficient by coefficient, relative to the largest,
and by their values at points around the centres, relative to the largest value. Order of centres
and shells does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.density.evaluate import evaluate_at_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.density.orbital import OrbitalDensity

    Predict = Callable[[NDArray[np.int64], NDArray[np.float64]], OrbitalDensity]

__all__ = [
    "assert_charge",
    "assert_equivariant",
    "assert_permutation_equivariant",
    "assert_same_density",
    "assert_size_consistent",
    "assert_translation_invariant",
    "random_rotations",
]

# Centres nearer than this, in Å, are one site; exponents nearer than this ratio one shell.
_SITE_DISTANCE = 1e-3
_SAME_EXPONENT = 1e-5
_POINTS_PER_SITE = 30
_POINT_SPREAD = 0.7


class _Shells(NamedTuple):
    """Shells in a fixed order; those of one site, degree and exponent are added up."""

    sites: NDArray[np.int64]
    ls: NDArray[np.int64]
    exponents: NDArray[np.float64]
    coefficients: NDArray[np.float64]


def random_rotations(
    n_proper: int = 2, n_improper: int = 2, *, seed: int = 0
) -> list[NDArray[np.float64]]:
    """Draw orthogonal matrices, the improper ones after the proper ones.

    Parameters
    ----------
    n_proper, n_improper
        How many of determinant +1 and -1; the first improper one is the inversion.
    seed
        Same seed, same matrices.
    """
    generator = np.random.default_rng(seed)
    matrices = []
    for n in range(n_proper + n_improper):
        matrix = np.linalg.qr(generator.normal(size=(3, 3)))[0]
        wanted = 1.0 if n < n_proper else -1.0
        matrices.append(matrix * wanted * np.sign(np.linalg.det(matrix)))
    if n_improper:
        matrices[n_proper] = -np.eye(3)
    return matrices


def assert_equivariant(
    predict: Predict,
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    tolerance: float = 1e-5,
    rotations: Iterable[ArrayLike] | None = None,
) -> None:
    """Assert that the density turns with the structure.

    Parameters
    ----------
    predict
        What is tested.
    numbers, positions
        Shapes ``(n,)`` and ``(n, 3)`` (Å).
    tolerance
        Largest relative error.
    rotations
        Orthogonal matrices, proper or not; two of each kind when left out.

    Raises
    ------
    AssertionError
        With the measured error and the matrix.
    """
    numbers, positions = _structure(numbers, positions)
    before = predict(numbers, positions)
    for rotation in random_rotations() if rotations is None else rotations:
        matrix = np.asarray(rotation, dtype=np.float64)
        kind = "rotating" if np.linalg.det(matrix) > 0 else "reflecting"
        after = predict(numbers, positions @ matrix.T)
        what = f"{kind} the structure by {np.round(matrix, 3).tolist()}"
        assert_same_density(after, before.rotated(matrix), tolerance=tolerance, what=what)


def assert_translation_invariant(
    predict: Predict,
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    tolerance: float = 1e-5,
    vectors: ArrayLike = ((0.3, -1.7, 2.9), (-31.0, 17.0, 5.0)),
) -> None:
    """Assert that the density moves with the structure.

    Parameters
    ----------
    predict, numbers, positions, tolerance
        As in :func:`assert_equivariant`.
    vectors
        Translations, shape ``(n, 3)``, Å.

    Raises
    ------
    AssertionError
        With the measured error and the vector.
    """
    numbers, positions = _structure(numbers, positions)
    before = predict(numbers, positions)
    for vector in np.asarray(vectors, dtype=np.float64).reshape(-1, 3):
        after = predict(numbers, positions + vector)
        what = f"moving the structure by {vector.tolist()} Å"
        assert_same_density(after, before.translated(vector), tolerance=tolerance, what=what)


def assert_permutation_equivariant(
    predict: Predict,
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> None:
    """Assert that the order of the atoms does not matter.

    Parameters
    ----------
    predict, numbers, positions, tolerance
        As in :func:`assert_equivariant`.
    seed
        Of the random order.

    Raises
    ------
    AssertionError
        With the measured error and the order.
    """
    numbers, positions = _structure(numbers, positions)
    order = np.random.default_rng(seed).permutation(len(numbers))
    before, after = predict(numbers, positions), predict(numbers[order], positions[order])
    what = f"listing the atoms in the order {order.tolist()}"
    assert_same_density(after, before, tolerance=tolerance, what=what)


def assert_charge(
    predict: Predict,
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    n_electrons: float,
    tolerance: float = 1e-6,
) -> None:
    """Assert the integral of the density.

    Parameters
    ----------
    predict, numbers, positions
        As in :func:`assert_equivariant`.
    n_electrons
        What the density must integrate to.
    tolerance
        Largest error in electrons.

    Raises
    ------
    AssertionError
        With the integral found.
    """
    found = predict(*_structure(numbers, positions)).n_electrons()
    error = abs(found - n_electrons)
    if not error <= tolerance:
        message = f"the density integrates to {found:.9g} electrons, expected {n_electrons:.9g} "
        raise AssertionError(message + f"(error {error:.2e}, tolerance {tolerance:.1e})")


def assert_size_consistent(
    predict: Predict,
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    distance: float,
    *,
    tolerance: float = 1e-5,
) -> None:
    """Assert that two structures far apart give the sum of their densities.

    Parameters
    ----------
    predict
        What is tested.
    a, b
        Numbers ``(n,)`` and positions ``(n, 3)`` (Å) of each structure.
    distance
        Gap along x to leave between them, Å.
    tolerance
        Largest relative error.

    Raises
    ------
    AssertionError
        With the measured error.
    """
    numbers_a, positions_a = _structure(*a)
    numbers_b, positions_b = _structure(*b)
    gap = positions_a[:, 0].max() + distance - positions_b[:, 0].min()
    positions_b = positions_b + np.array([gap, 0.0, 0.0])
    together = predict(
        np.concatenate([numbers_a, numbers_b]), np.concatenate([positions_a, positions_b])
    )
    apart = predict(numbers_a, positions_a) + predict(numbers_b, positions_b)
    what = f"putting two structures {distance} Å apart"
    assert_same_density(together, apart, tolerance=tolerance, what=what)


def assert_same_density(
    found: OrbitalDensity,
    expected: OrbitalDensity,
    *,
    tolerance: float = 1e-5,
    what: str = "comparing two densities",
) -> None:
    """Assert that two densities agree in their coefficients and at points.

    Parameters
    ----------
    found, expected
        Centres and shells may be listed in any order.
    tolerance
        Largest relative error.
    what
        Begins the message.

    Raises
    ------
    AssertionError
        If shells are missing, or with the measured errors.
    """
    sites = _sites(expected)
    ours, theirs = _ordered(found, sites, what), _ordered(expected, sites, what)
    same = len(ours.ls) == len(theirs.ls) and np.array_equal(ours.ls, theirs.ls)
    if not same or not np.array_equal(ours.sites, theirs.sites):
        message = f"{what}: the shells differ ({len(ours.ls)} found, {len(theirs.ls)} expected)"
        raise AssertionError(message)
    points = _points(sites)
    errors = {
        "exponents": _relative(ours.exponents / theirs.exponents, np.ones(len(ours.ls))),
        "coefficients": _relative(ours.coefficients, theirs.coefficients),
        "values": _relative(
            evaluate_at_points(found, points), evaluate_at_points(expected, points)
        ),
    }
    if not max(errors.values()) <= tolerance:
        listed = ", ".join(f"{name} {error:.2e}" for name, error in errors.items())
        message = f"{what}: relative errors are {listed}; the tolerance is {tolerance:.1e}"
        raise AssertionError(message)


def _structure(
    numbers: ArrayLike, positions: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    return np.asarray(numbers, dtype=np.int64), np.asarray(positions, dtype=np.float64)


def _relative(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    return float(np.abs(found - expected).max(initial=0.0)) / scale


def _sites(density: OrbitalDensity) -> NDArray[np.float64]:
    """Return the distinct places of the centres, shape ``(n_sites, 3)``."""
    sites: list[NDArray[np.float64]] = []
    for position in density.positions:
        if all(np.linalg.norm(position - site) > _SITE_DISTANCE for site in sites):
            sites.append(position)
    return np.array(sites).reshape(-1, 3)


def _points(sites: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scatter points around the sites, always the same."""
    steps = np.random.default_rng(0).normal(scale=_POINT_SPREAD, size=(_POINTS_PER_SITE, 3))
    return np.asarray((sites[:, None] + steps).reshape(-1, 3))


def _ordered(density: OrbitalDensity, sites: NDArray[np.float64], what: str) -> _Shells:
    """Sort shells by site, degree and exponent; add up those that share all three."""
    gaps = np.linalg.norm(density.positions[:, None] - sites, axis=-1)
    if gaps.size and gaps.min(axis=1).max() > _SITE_DISTANCE:
        message = f"{what}: a centre is {gaps.min(axis=1).max():.2e} Å from where it should be"
        raise AssertionError(message)
    site = gaps.argmin(axis=1)[density.shell_centres] if gaps.size else density.shell_centres
    order = np.lexsort((density.shell_exponents, density.shell_ls, site))
    keys = np.stack([site, density.shell_ls])[:, order]
    exponents = density.shell_exponents[order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (np.diff(keys) != 0).any(axis=0)
    starts[1:] |= np.diff(np.log(exponents)) > _SAME_EXPONENT
    blocks: list[NDArray[np.float64]] = []
    offsets = density.shell_offsets[order]
    for first, offset, l in zip(starts, offsets, keys[1], strict=True):
        block = density.coefficients[offset : offset + 2 * l + 1]
        if first:
            blocks.append(block)
        else:
            blocks[-1] = blocks[-1] + block
    coefficients = np.concatenate([np.zeros(0), *blocks])
    return _Shells(keys[0, starts], keys[1, starts], exponents[starts], coefficients)
