"""Output scales learnt from labels."""

from __future__ import annotations

import numpy as np
import pytest

from scdp_models.basis.even_tempered import even_tempered_shells
from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.coulomb import coulomb_matrix
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import TrainingError
from scdp_models.nn.whitening import (
    CoefficientMoments,
    ShellTransform,
    fit_whitening,
    neutral_direction,
    unfitted_whitening,
)

BASIS = BasisSet("two", {1: ElementBasis((0, 0, 1, 1), (0.3, 1.0, 0.4, 0.9))})


@pytest.fixture
def samples(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Give correlated coefficients of 300 two-atom structures, with a mean."""
    mixing = rng.normal(size=(8, 8)) * np.linspace(0.1, 3, 8)
    rows = rng.normal(size=(300, 2, 8)) @ mixing + 2.0
    return [(np.array([1, 1]), row.ravel()) for row in rows]


def _undone(transform: ShellTransform, values: np.ndarray) -> np.ndarray:
    """Return z of c = mean + matrix z, for values of shape ``(n, n_shells)``."""
    return np.linalg.solve(transform.matrix, (values - transform.mean).T).T


def test_whitened_labels_have_unit_second_moments(
    samples: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    whitening = fit_whitening(BASIS, samples)
    table = np.concatenate([row.reshape(2, 8) for _, row in samples])
    for l, columns in ((0, slice(0, 2)), (1, slice(2, 8))):
        values = table[:, columns].reshape(len(table), 2, 2 * l + 1)
        flat = values.transpose(0, 2, 1).reshape(-1, 2)
        z = _undone(whitening[1, l], flat)
        np.testing.assert_allclose(z.T @ z / len(z), np.eye(2), atol=1e-8)


def test_only_spherical_shells_have_a_mean(samples: list[tuple[np.ndarray, np.ndarray]]) -> None:
    whitening = fit_whitening(BASIS, samples)
    assert np.abs(whitening[1, 0].mean).min() > 1
    np.testing.assert_array_equal(whitening[1, 1].mean, 0)


def test_equal_steps_of_the_output_cost_equal_energy(
    samples: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    # The columns of the matrix are orthogonal in the Coulomb metric of the centre.
    from scdp_models.nn.whitening import _one_centre_metric

    metric = _one_centre_metric(BASIS.for_species(1), 1)
    matrix = fit_whitening(BASIS, samples)[1, 1].matrix
    energies = matrix.T @ metric @ matrix
    scale = np.sqrt(np.outer(np.diag(energies), np.diag(energies)))
    np.testing.assert_allclose(energies / scale, np.eye(2), atol=1e-6)


def test_directions_the_labels_never_take_stay_invertible() -> None:
    samples = [(np.array([1]), np.array([c, 0.0, 0, 0, 0, 0, 0, 0])) for c in (1.0, 2.0, 4.0)]
    whitening = fit_whitening(BASIS, samples)
    for transform in whitening.values():
        assert np.isfinite(np.linalg.inv(transform.matrix)).all()


@pytest.mark.parametrize("beta", [2.0, 1.3])
def test_dense_series_can_be_whitened(rng: np.random.Generator, beta: float) -> None:
    shells = even_tempered_shells(26, beta, max_exponent=200.0)
    basis = BasisSet("iron", {26: shells})
    samples = [(np.array([26]), rng.normal(size=shells.n_functions)) for _ in range(20)]
    for transform in fit_whitening(basis, samples).values():
        assert np.isfinite(transform.matrix).all()


def test_species_without_a_label_are_named() -> None:
    basis = BasisSet("two", {1: BASIS.for_species(1), 8: BASIS.for_species(1)})
    with pytest.raises(TrainingError, match=r"species \[8\]"):
        fit_whitening(basis, [(np.array([1]), np.zeros(8))])


def test_an_electron_is_taken_up_at_the_least_coulomb_energy(rng: np.random.Generator) -> None:
    from scdp_models.nn.whitening import _one_centre_metric

    shells = BASIS.for_species(1)
    direction, charges = neutral_direction(shells)
    metric = _one_centre_metric(shells, 0)
    one = direction / (charges @ direction)
    sideways = np.array([charges[1], -charges[0]])  # keeps the charge
    energy = [c @ metric @ c for c in (one, one + 0.01 * sideways, one - 0.01 * sideways)]
    assert energy[0] < min(energy[1:])


def test_spreads_are_standard_deviations_about_the_mean(
    samples: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    moments = CoefficientMoments(BASIS)
    for numbers, row in samples:
        moments.add(numbers, row)
    table = np.concatenate([row.reshape(2, 8) for _, row in samples])
    found = moments.spreads()[1]
    np.testing.assert_allclose(found[:2], table[:, :2].std(0), rtol=1e-10)
    # Degrees above zero have no mean: it would turn with the molecule.
    squares = (table[:, 2:].reshape(-1, 2, 3) ** 2).mean((0, 2))
    np.testing.assert_allclose(found[2:], np.sqrt(squares).repeat(3), rtol=1e-10)


def test_without_fits_every_direction_has_the_same_energy() -> None:
    atom = OrbitalDensity.from_basis(
        BASIS, [1], np.zeros((1, 3)), coefficients=[0.4, 0.3, 0, 0, 0, 0, 0, 0]
    )
    whitening = unfitted_whitening(BASIS, {1: atom})
    np.testing.assert_allclose(whitening[1, 0].mean, [0.4, 0.3], rtol=1e-3)
    np.testing.assert_array_equal(whitening[1, 1].mean, 0)
    metric = coulomb_matrix(atom)
    for l, rows in ((0, [0, 1]), (1, [3, 6])):
        matrix = whitening[1, l].matrix
        energies = matrix.T @ metric[np.ix_(rows, rows)] @ matrix
        np.testing.assert_allclose(energies, energies[0, 0] * np.eye(2), atol=1e-8)
