"""The Coulomb loss is the energy it claims to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.density.coulomb import coulomb_error
from scdp_models.errors import TrainingError
from scdp_models.training.labels import FitLabel, PredictedDensity, StructureLabel
from scdp_models.training.losses.coulomb import coulomb_energy, coulomb_spin_energy

if TYPE_CHECKING:
    import numpy as np

    from scdp_models.data.samples import TrainingSample


@pytest.fixture
def label(samples: list[TrainingSample]) -> StructureLabel:
    """Give the fit of the first sample in float64."""
    template = samples[0].template
    target = torch.as_tensor(template.coefficients)
    metric = torch.as_tensor(samples[0].metric).double()
    fit = FitLabel(target, metric, torch.ones(1))
    return StructureLabel(template.n_functions, len(template.shell_ls), fit=fit)


def test_it_is_the_energy_of_the_difference_density(
    samples: list[TrainingSample], label: StructureLabel, rng: np.random.Generator
) -> None:
    template = samples[0].template
    coefficients = template.coefficients + rng.normal(scale=0.1, size=template.n_functions)
    energy = coulomb_energy(PredictedDensity(torch.as_tensor(coefficients)), label)
    expected = coulomb_error(replace(template, coefficients=coefficients), template)
    assert energy.item() == pytest.approx(expected, rel=1e-6)


def test_its_gradient_is_the_metric_times_the_error(label: StructureLabel) -> None:
    fit = label.wanted_fit()
    predicted = (fit.coefficients + 0.1).requires_grad_()
    coulomb_energy(PredictedDensity(predicted), label).backward()
    expected = 0.1 * fit.metric.sum(1)
    torch.testing.assert_close(predicted.grad, expected, rtol=1e-5, atol=1e-8)


def test_the_spin_density_of_a_closed_shell_is_zero(label: StructureLabel) -> None:
    fit = label.wanted_fit()
    spin = 0.1 * torch.ones_like(fit.coefficients)
    predicted = PredictedDensity(fit.coefficients, spin=spin)
    alone = coulomb_spin_energy(predicted, label)
    torch.testing.assert_close(alone, 0.5 * spin @ (fit.metric @ spin))
    radical = replace(label, fit=replace(fit, spin=spin))
    assert coulomb_spin_energy(predicted, radical) == 0
    with pytest.raises(TrainingError, match="no predicted spin density"):
        coulomb_spin_energy(PredictedDensity(fit.coefficients), label)
