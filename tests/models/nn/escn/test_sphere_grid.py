"""Grids of the SiLU activation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3

from scdp_models.nn.escn.sphere_grid import ActivationGrid, fejer_weights, published_resolution


@pytest.mark.parametrize("n", [4, 7, 14])
def test_the_polar_rule_integrates_polynomials(n: int) -> None:
    cosine = np.cos((np.arange(n) + 0.5) * np.pi / n)
    for degree in range(0, n, 2):
        integral = float(fejer_weights(n) @ cosine**degree)
        assert integral == pytest.approx(2 / (degree + 1), abs=1e-14)


@pytest.mark.parametrize(("lmax", "mmax"), [(2, 2), (3, 2), (6, 2), (6, 6), (2, 0)])
@pytest.mark.parametrize("oversampling", [1.0, 1.5])
def test_projection_undoes_evaluation(lmax: int, mmax: int, oversampling: float) -> None:
    grid = ActivationGrid(lmax, mmax, oversampling=oversampling, by_order=True)
    identity = torch.eye(len(grid.evaluate)).double()
    torch.testing.assert_close(grid.from_grid(grid.to_grid(identity)), identity)


def test_the_full_grid_is_that_of_e3nn() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        resolution = published_resolution(3, 3)
        theirs = o3.ToS2Grid(3, resolution, normalization="integral")
        back = o3.FromS2Grid(resolution, 3, normalization="integral")
    finally:
        torch.set_default_dtype(torch.float32)
    ours, identity = ActivationGrid(3, 3), torch.eye(16).double()
    torch.testing.assert_close(ours.evaluate, theirs(identity).flatten(1), atol=1e-10, rtol=0)
    values = torch.eye(ours.evaluate.shape[1]).double().view(-1, *resolution)
    torch.testing.assert_close(ours.project, back(values), atol=1e-10, rtol=0)


def test_oversampling_adds_points_on_both_circles() -> None:
    coarse, fine = (ActivationGrid(2, 2, oversampling=f).evaluate.shape[1] for f in (1.0, 2.0))
    assert (coarse, fine) == (6 * 7, 12 * 14)
