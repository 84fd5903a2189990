"""Losses are what they claim to be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.data.probes import draw_probes
from scdp_models.density.coulomb import coulomb_error
from scdp_models.training.losses import coulomb_energies, grid_errors

if TYPE_CHECKING:
    from scdp_models.data.samples import TrainingSample


def test_coulomb_energies_are_those_of_the_difference_densities(
    samples: list[TrainingSample], rng: np.random.Generator
) -> None:
    pair = samples[:2]
    targets = [torch.as_tensor(s.template.coefficients) for s in pair]
    metrics = [torch.as_tensor(s.metric).double() for s in pair]
    errors = [rng.normal(scale=0.1, size=len(target)) for target in targets]
    predicted = torch.cat([t + torch.as_tensor(e) for t, e in zip(targets, errors, strict=True)])
    energies = coulomb_energies(predicted, targets, metrics)
    expected = [
        coulomb_error(replace(s.template, coefficients=s.template.coefficients + e), s.template)
        for s, e in zip(pair, errors, strict=True)
    ]
    np.testing.assert_allclose(energies, expected, rtol=1e-6)


def test_grid_errors_are_mean_absolute_errors(samples: list[TrainingSample]) -> None:
    probes = [draw_probes(s, 20 + i, (i,), reference=None) for i, s in enumerate(samples[:2])]
    values = [torch.as_tensor(p.values) for p in probes]
    targets = [torch.as_tensor(p.target) for p in probes]
    predicted = torch.zeros(sum(v.shape[1] for v in values))
    errors = grid_errors(predicted, values, targets)
    expected = [np.abs(p.target).mean() for p in probes]
    np.testing.assert_allclose(errors, expected, rtol=1e-6)


@pytest.mark.parametrize("n_structures", [1, 3])
def test_the_gradient_of_the_coulomb_loss_is_the_metric_times_the_error(
    samples: list[TrainingSample], n_structures: int
) -> None:
    targets = [torch.as_tensor(s.template.coefficients) for s in samples[:n_structures]]
    metrics = [torch.as_tensor(s.metric).double() for s in samples[:n_structures]]
    predicted = (torch.cat(targets) + 0.1).requires_grad_()
    coulomb_energies(predicted, targets, metrics).sum().backward()
    expected = torch.cat([0.1 * metric.sum(1) for metric in metrics])
    torch.testing.assert_close(predicted.grad, expected, rtol=1e-5, atol=1e-8)
