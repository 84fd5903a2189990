"""Tables and their transpose give the values and gradients of the direct sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.density.autograd import density_at_points
from scdp_models.density.shell_index import ShellIndex

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

CELL = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])


@pytest.mark.parametrize("pbc", [(False, False, False), (True, True, True), (True, False, True)])
def test_tables_agree_with_the_direct_sum(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch, pbc: tuple[bool, bool, bool]
) -> None:
    density = random_density(cell=CELL, pbc=pbc, exponents=(0.3, 4.0, 500.0))
    index = ShellIndex.of(density, tolerance=1e-11)
    points = torch.as_tensor(np.random.default_rng(0).normal(size=(200, 3)))
    weights = torch.linspace(-1, 1, 200, dtype=torch.float64)
    results = []
    for compiled in ("1", "0"):
        monkeypatch.setenv("SCDP_MODELS_NUMBA", compiled)
        exponents = torch.as_tensor(density.shell_exponents).clone().requires_grad_()
        coefficients = torch.as_tensor(density.coefficients).clone().requires_grad_()
        positions = torch.as_tensor(density.positions)
        values = density_at_points(index, positions, exponents, coefficients, points)
        (values * weights).sum().backward()
        results.append((values.detach(), exponents.grad, coefficients.grad))
    for table, direct in zip(*results, strict=True):
        torch.testing.assert_close(table, direct, rtol=1e-6, atol=1e-7)
