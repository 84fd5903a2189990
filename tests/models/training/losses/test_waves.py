"""The Coulomb energy of an error on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.data.waves import draw_waves, fourier_coefficients
from scdp_models.training.batches import BatchSource, SourceSettings
from scdp_models.training.labels import PredictedDensity
from scdp_models.training.losses.waves import wave_energy

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.shards import ShardReader
    from scdp_models.density.atomic import AtomicReference

WAVES = frozenset({"waves"})


def test_it_is_the_weighted_sum_over_waves(
    reader: ShardReader, samples: list[TrainingSample], reference: AtomicReference
) -> None:
    settings = SourceSettings(5.0, n_waves=60, reference=reference, dtype=torch.float64)
    label = BatchSource(reader, settings).label(2, 4, WAVES)
    template = samples[2].template
    predicted = PredictedDensity(torch.as_tensor(1.1 * template.coefficients))
    waves = draw_waves(samples[2], 60, (0, 4, 2), reference=reference)
    error = fourier_coefficients(template.scaled(1.1), waves.vectors) - waves.target
    expected = waves.weights @ np.abs(error) ** 2
    assert wave_energy(predicted, label).item() == pytest.approx(expected, rel=1e-6)
