"""Function values at sampled voxels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.data.probes import basis_values, draw_probes, has_function_table
from scdp_models.data.samples import GridLabel, TrainingSample, make_grid_sample, make_sample
from scdp_models.data.sampling import probe_indices
from scdp_models.density.evaluate import evaluate_at_points, evaluate_on_grid
from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity


@pytest.fixture
def sample(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference, grid: GridLabel
) -> TrainingSample:
    return make_sample("water", label, basis, reference, grid=grid)


def test_functions_times_coefficients_are_the_density(
    difference: OrbitalDensity, label: OrbitalDensity, rng: np.random.Generator
) -> None:
    points = rng.normal(scale=1.5, size=(40, 3))
    for density in (difference, label):
        values = basis_values(density, points)
        assert values.shape == (40, density.n_functions)
        np.testing.assert_allclose(
            values @ density.coefficients, evaluate_at_points(density, points), atol=1e-9
        )


def test_the_right_coefficients_hit_the_probes(
    sample: TrainingSample, reference: AtomicReference
) -> None:
    probes = draw_probes(sample, 200, (0, 1), reference=reference)
    predicted = basis_values(sample.template, probes.points) @ sample.template.coefficients
    np.testing.assert_allclose(predicted, probes.target, atol=2e-6)


def test_without_a_reference_the_target_is_the_label(
    sample: TrainingSample, label: OrbitalDensity
) -> None:
    probes = draw_probes(sample, 50, (3,), reference=None)
    assert sample.grid is not None
    points = sample.grid.points(probe_indices(sample.grid.values.size, 50, 3))
    np.testing.assert_allclose(probes.points, points)
    np.testing.assert_allclose(probes.target, evaluate_at_points(label, points), atol=2e-6)
    assert probes.mean_density == pytest.approx(np.abs(probes.target).mean(), rel=1e-5)


def test_probes_depend_on_their_key_alone(sample: TrainingSample) -> None:
    first, again = (draw_probes(sample, 30, (7, 8), reference=None) for _ in range(2))
    other = draw_probes(sample, 30, (7, 9), reference=None)
    np.testing.assert_array_equal(first.target, again.target)
    assert not np.array_equal(first.target, other.target)


def test_a_sample_without_a_grid_is_refused(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    bare = make_sample("water", label, basis, reference)
    with pytest.raises(TrainingError, match=r"label water carries no grid.*keep_grid=True"):
        draw_probes(bare, 10, (0,), reference=None)


def test_atoms_of_a_crystal_are_subtracted_with_their_images(
    label: OrbitalDensity, basis: BasisSet, reference: AtomicReference
) -> None:
    cell = np.diag([3.0, 3.2, 3.4])
    crystal = replace(label, cell=cell, pbc=(True, True, True))
    values = evaluate_on_grid(crystal, np.zeros(3), cell, (6, 6, 6), tolerance=1e-9)
    grid = GridLabel(values.astype(np.float32), np.zeros(3), cell)
    atoms = (label.numbers[:3], label.positions[:3])
    crystalline = make_grid_sample("ice", atoms, basis, grid, pbc=(True, True, True))
    probes = draw_probes(crystalline, 60, (2,), reference=reference)
    difference = crystal - reference.superposition(*atoms, cell, (True, True, True))
    expected = evaluate_at_points(difference, probes.points)
    np.testing.assert_allclose(probes.target, expected, atol=5e-6)


def test_tables_are_for_molecules_of_moderate_size(label: OrbitalDensity) -> None:
    assert has_function_table(label, 1000)
    assert not has_function_table(label, 10**7)
    assert not has_function_table(replace(label, cell=np.eye(3) * 9, pbc=(True,) * 3), 1000)
