"""The error on probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.training.batches import BatchSource, SourceSettings
from scdp_models.training.labels import PredictedDensity
from scdp_models.training.losses.grid import grid_error

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample
    from scdp_models.data.shards import ShardReader

PROBES = frozenset({"probes"})


@pytest.mark.parametrize("scaled", [False, True], ids=["table", "evaluated"])
def test_it_is_the_mean_absolute_error(
    reader: ShardReader, samples: list[TrainingSample], *, scaled: bool
) -> None:
    settings = SourceSettings(5.0, n_probes=80, scaled=scaled, dtype=torch.float64)
    label = BatchSource(reader, settings).label(1, 0, PROBES)
    assert (label.wanted_probes().table is None) == scaled
    template = samples[1].template
    predicted = PredictedDensity(torch.as_tensor(template.coefficients))
    probes = BatchSource(reader, settings).label(1, 0, PROBES).wanted_probes()
    origin = label.layout.origin if label.layout is not None else np.zeros(3)
    points = probes.points.numpy() * 0.529177210903 + origin
    expected = np.abs(evaluate_at_points(template, points) - probes.target.numpy()).mean()
    assert grid_error(predicted, label).item() == pytest.approx(expected, rel=1e-4)


def test_wider_functions_give_another_error(reader: ShardReader) -> None:
    settings = SourceSettings(5.0, n_probes=80, scaled=True, dtype=torch.float64)
    label = BatchSource(reader, settings).label(0, 0, PROBES)
    coefficients = torch.ones(label.n_functions, dtype=torch.float64)
    factors = torch.ones(label.n_shells, dtype=torch.float64, requires_grad=True)
    grid_error(PredictedDensity(coefficients, factors), label).backward()
    assert factors.grad is not None
    assert float(factors.grad.abs().min()) > 0
