"""Fourier coefficients of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.data.samples import GridLabel, TrainingSample, make_sample
from scdp_models.data.waves import draw_waves, fourier_coefficients
from scdp_models.density.coulomb import coulomb_matrix
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.errors import TrainingError
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

EVERY_WAVE = 10**6


@pytest.fixture
def sample(label: OrbitalDensity, basis: BasisSet, reference: AtomicReference) -> TrainingSample:
    """Give a label in a wide box, a grid that resolves it, and its fit."""
    origin, cell, shape = np.array([-4.1, -4.2, -4.0]), np.diag([8.8, 8.0, 8.9]), (36, 33, 36)
    values = evaluate_on_grid(label, origin, cell, shape, tolerance=1e-10)
    grid = GridLabel(values.astype(np.float32), origin, cell)
    return make_sample("water", label, basis, reference, grid=grid)


def test_the_closed_form_is_the_transform_of_the_grid(
    sample: TrainingSample, label: OrbitalDensity
) -> None:
    waves = draw_waves(sample, EVERY_WAVE, (0,), reference=None)
    expected = fourier_coefficients(label, waves.vectors)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(waves.target, expected, atol=2e-3)


def test_at_long_waves_the_transform_counts_electrons(label: OrbitalDensity) -> None:
    found = fourier_coefficients(label, np.array([[1e-6, 0, 0]]))
    assert found[0].real == pytest.approx(label.n_electrons(), rel=1e-6)


def test_a_moved_density_turns_its_phases(label: OrbitalDensity, rng: np.random.Generator) -> None:
    vectors, step = rng.normal(size=(20, 3)), np.array([0.3, -0.2, 0.5])
    moved = fourier_coefficients(label.translated(step), vectors)
    phases = np.exp(-1j * vectors @ step / BOHR_TO_ANGSTROM)
    np.testing.assert_allclose(moved, phases * fourier_coefficients(label, vectors), atol=1e-12)


def test_the_sum_over_all_waves_is_the_coulomb_energy(
    sample: TrainingSample, basis: BasisSet, reference: AtomicReference
) -> None:
    density = sample.template
    # Without charge, dipole and quadrupole, which would feel their images in the box.
    keep = np.zeros(density.n_functions)
    columns = density.shell_offsets[density.shell_ls == 2]
    keep[(columns[:, None] + np.arange(5)).ravel()] = 1.0
    one = replace(density, coefficients=density.coefficients * keep)
    expected = 0.5 * one.coefficients @ coulomb_matrix(one) @ one.coefficients
    waves = draw_waves(sample, EVERY_WAVE, (0,), reference=None)
    energy = waves.weights @ np.abs(fourier_coefficients(one, waves.vectors)) ** 2
    assert energy == pytest.approx(expected, rel=0.02)


def test_a_sample_of_waves_estimates_the_whole_sum(
    sample: TrainingSample, reference: AtomicReference
) -> None:
    whole = draw_waves(sample, EVERY_WAVE, (0,), reference=reference)
    expected = whole.weights @ np.abs(whole.target) ** 2
    estimates = []
    for n in range(40):
        waves = draw_waves(sample, 300, (n,), reference=reference)
        assert len(waves.vectors) == 300
        estimates.append(waves.weights @ np.abs(waves.target) ** 2)
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(expected, abs=4 * error)
    assert error < 0.1 * expected


def test_draws_depend_on_their_key_alone(sample: TrainingSample) -> None:
    first, again = (draw_waves(sample, 30, (1, 2), reference=None) for _ in range(2))
    np.testing.assert_array_equal(first.target, again.target)
    other = draw_waves(sample, 30, (1, 3), reference=None)
    assert not np.array_equal(first.vectors, other.vectors)


def test_a_sample_without_a_grid_is_refused(sample: TrainingSample) -> None:
    with pytest.raises(TrainingError, match="carries no grid"):
        draw_waves(replace(sample, grid=None), 10, (0,), reference=None)
