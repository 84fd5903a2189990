"""The assertions pass for a proper predictor and catch each way of being wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models import testing
from scdp_models.basis.shells import BasisSet, ElementBasis, shell_charge
from scdp_models.density.orbital import OrbitalDensity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Predict = Callable[[NDArray[np.int64], NDArray[np.float64]], OrbitalDensity]

NUMBERS = np.array([8, 1, 1])
POSITIONS = np.array([[0.0, 0.1, 0.2], [0.0, 0.8, -0.5], [0.1, -0.8, -0.5]])
SHELLS = ElementBasis((0, 0, 1), (0.4, 1.3, 0.6))
BASIS = BasisSet("test", {1: SHELLS, 8: SHELLS})


def _forces(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a vector per atom that depends on its neighbours within 5 Å."""
    d = positions[:, None] - positions
    r2 = (d**2).sum(-1)
    return np.asarray((d * (np.exp(-r2) * (r2 < 25))[..., None]).sum(1))


def good(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> OrbitalDensity:
    """Put one electron and an equivariant p function on each atom."""
    forces = _forces(positions)
    s = np.tile(0.5 / shell_charge([0, 0], [0.4, 1.3]), (len(numbers), 1))
    coefficients = np.concatenate([s, forces[:, [1, 2, 0]]], axis=1).ravel()
    return OrbitalDensity.from_basis(BASIS, numbers, positions, coefficients=coefficients)


def _changed(change: Callable[[NDArray[np.float64]], object]) -> Predict:
    """Return :func:`good` with its coefficients, shape ``(n, 5)``, changed in place."""

    def predict(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> OrbitalDensity:
        density = good(numbers, positions)
        coefficients = density.coefficients.reshape(-1, 5).copy()
        change(coefficients)
        return replace(density, coefficients=coefficients.ravel())

    return predict


def _frame_defect(coefficients: NDArray[np.float64]) -> None:
    coefficients[:, 2:] = coefficients[:, [4, 2, 3]]


def _pseudo_vector(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> OrbitalDensity:
    density = good(numbers, positions)
    forces = _forces(positions)
    axial = np.cross(forces, np.roll(forces, 1, axis=0))
    coefficients = density.coefficients.reshape(-1, 5).copy()
    coefficients[:, 2:] += 3 * axial[:, [1, 2, 0]]
    return replace(density, coefficients=coefficients.ravel())


def _shuffled(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> OrbitalDensity:
    """Predict the same density with centres and shells in another order, in two parts."""
    order = np.argsort(positions @ np.array([0.3, -0.8, 0.1]))
    density = good(numbers[order], positions[order])
    return density.scaled(0.25) + density.scaled(0.75)


@pytest.mark.parametrize("predict", [good, _shuffled])
def test_proper_predictors_pass(predict: Predict) -> None:
    testing.assert_equivariant(predict, NUMBERS, POSITIONS, tolerance=1e-12)
    testing.assert_translation_invariant(predict, NUMBERS, POSITIONS, tolerance=1e-10)
    testing.assert_permutation_equivariant(predict, NUMBERS, POSITIONS, tolerance=1e-12)
    testing.assert_charge(predict, NUMBERS, POSITIONS, n_electrons=3.0)
    a, b = (NUMBERS, POSITIONS), (NUMBERS[:2], POSITIONS[:2])
    testing.assert_size_consistent(predict, a, b, 8.0, tolerance=1e-12)


def test_frame_defect_is_caught() -> None:
    with pytest.raises(
        AssertionError, match=r"rotating .* coefficients 1\.6.*tolerance is 1\.0e-05"
    ):
        testing.assert_equivariant(_changed(_frame_defect), NUMBERS, POSITIONS)


def test_wrong_parity_is_caught_by_reflections_only() -> None:
    proper, improper = testing.random_rotations(2, 0), testing.random_rotations(0, 2)
    rigid = np.vstack([POSITIONS, [[0.7, 0.2, 0.9]]])
    numbers = np.append(NUMBERS, 1)
    testing.assert_equivariant(_pseudo_vector, numbers, rigid, rotations=proper)
    with pytest.raises(AssertionError, match="reflecting"):
        testing.assert_equivariant(_pseudo_vector, numbers, rigid, rotations=improper)


def test_dependence_on_the_origin_is_caught() -> None:
    def predict(numbers: NDArray[np.int64], positions: NDArray[np.float64]) -> OrbitalDensity:
        return good(numbers, positions).scaled(1 + 0.01 * positions.mean())

    with pytest.raises(AssertionError, match=r"moving the structure by \[0.3, -1.7, 2.9\]"):
        testing.assert_translation_invariant(predict, NUMBERS, POSITIONS)


def test_dependence_on_the_order_is_caught() -> None:
    def first_is_special(coefficients: NDArray[np.float64]) -> None:
        coefficients[0] *= 1.1

    with pytest.raises(AssertionError, match="listing the atoms in the order"):
        testing.assert_permutation_equivariant(_changed(first_is_special), NUMBERS, POSITIONS)


def test_wrong_charge_is_caught_with_its_error() -> None:
    predict = _changed(lambda c: c.__imul__(1.001))
    with pytest.raises(AssertionError, match=r"3\.003 electrons, expected 3 \(error 3\.00e-03"):
        testing.assert_charge(predict, NUMBERS, POSITIONS, n_electrons=3.0)


def test_normalisation_by_size_is_caught() -> None:
    # As a division by the square root of all orbitals does.
    predict = _changed(lambda c: c.__itruediv__(np.sqrt(c.size)))
    with pytest.raises(AssertionError, match=r"putting two structures 9\.0 Å apart"):
        testing.assert_size_consistent(predict, (NUMBERS, POSITIONS), (NUMBERS, POSITIONS), 9.0)


def test_missing_shells_are_reported() -> None:
    one, two = good(NUMBERS, POSITIONS), good(NUMBERS[:2], POSITIONS[:2])
    with pytest.raises(AssertionError, match="6 found, 9 expected"):
        testing.assert_same_density(two, one)


def test_moved_centres_are_reported() -> None:
    one = good(NUMBERS, POSITIONS)
    with pytest.raises(AssertionError, match=r"1\.00e-02 Å from where it should be"):
        testing.assert_same_density(one.translated([0.01, 0, 0]), one)


def test_other_exponents_are_reported() -> None:
    one = good(NUMBERS, POSITIONS)
    with pytest.raises(AssertionError, match=r"exponents 1\.00e-03"):
        testing.assert_same_density(replace(one, shell_exponents=1.001 * one.shell_exponents), one)


def test_rotations_are_orthogonal_and_of_both_kinds() -> None:
    matrices = testing.random_rotations(3, 2, seed=5)
    for matrix in matrices:
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), [1, 1, 1, -1, -1], atol=1e-12)
    np.testing.assert_array_equal(matrices[3], -np.eye(3))
