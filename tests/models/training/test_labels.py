"""Labels and predictions of one structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.errors import TrainingError
from scdp_models.training.gaussians import shell_layout
from scdp_models.training.labels import (
    FitLabel,
    PredictedDensity,
    ProbeLabel,
    StructureLabel,
)

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample


def test_what_a_loss_needs_and_is_not_there_is_named() -> None:
    bare = StructureLabel(3, 3)
    for wanted in (bare.wanted_fit, bare.wanted_probes, bare.wanted_waves, bare.wanted_layout):
        with pytest.raises(TrainingError, match=r"has no (fit|probes|waves|shell layout)"):
            wanted()


def test_all_parts_take_the_dtype(samples: list[TrainingSample]) -> None:
    ones = torch.ones(2, dtype=torch.float64)
    label = StructureLabel(
        2,
        2,
        shell_layout(samples[0].template),
        FitLabel(ones, ones, ones),
        ProbeLabel(ones, ones, ones, None),
    ).to(torch.float32)
    assert label.wanted_fit().metric.dtype == torch.float32
    assert label.wanted_probes().points.dtype == torch.float32
    assert label.wanted_probes().table is None
    layout = label.wanted_layout()
    assert layout.exponents.dtype == torch.float32
    assert layout.whole.centres.dtype == torch.int64


def test_factors_multiply_the_exponents(samples: list[TrainingSample]) -> None:
    layout = shell_layout(samples[0].template)
    fixed = PredictedDensity(torch.zeros(1))
    assert fixed.exponents(layout) is layout.exponents
    scaled = PredictedDensity(torch.zeros(1), torch.full((len(layout.exponents),), 2.0))
    torch.testing.assert_close(scaled.exponents(layout), 2 * layout.exponents)
