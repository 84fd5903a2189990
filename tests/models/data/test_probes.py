"""Function values at sampled voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.data.probes import basis_values, draw_probes
from scdp_models.data.samples import make_sample
from scdp_models.data.sampling import probe_indices
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from scdp_models.basis.shells import BasisSet
    from scdp_models.data.samples import GridLabel, TrainingSample
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
    predicted = probes.values @ sample.template.coefficients
    np.testing.assert_allclose(predicted, probes.target, atol=2e-6)


def test_without_a_reference_the_target_is_the_label(
    sample: TrainingSample, label: OrbitalDensity
) -> None:
    probes = draw_probes(sample, 50, (3,), reference=None)
    assert sample.grid is not None
    points = sample.grid.points(probe_indices(sample.grid.values.size, 50, 3))
    np.testing.assert_allclose(probes.target, evaluate_at_points(label, points), atol=2e-6)


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
