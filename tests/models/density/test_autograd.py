"""The differentiable density: values of the reference, gradients of finite differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.density.autograd import density_at_points
from scdp_models.density.reference import pairwise_density
from scdp_models.density.shell_index import ShellIndex
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.density.orbital import OrbitalDensity

    MakeDensity = Callable[..., OrbitalDensity]

CELL = np.array([[4.0, 0.2, 0.0], [1.1, 3.5, 0.1], [0.3, -0.9, 4.4]])
PLACES = np.array([[0.1, 0.2, -0.3], [1.2, 0.1, 0.4]])


def _case(
    make: MakeDensity, *, periodic: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[OrbitalDensity, ShellIndex, list[torch.Tensor]]:
    """Return a density, its index, and positions, exponents, coefficients, points as tensors."""
    density = make(PLACES, cell=CELL, pbc=(periodic,) * 3, exponents=(0.9,))
    points = np.random.default_rng(2).normal(size=(4, 3))
    arrays = (density.positions, density.shell_exponents, density.coefficients, points)
    tensors = [torch.as_tensor(a).clone() for a in arrays]
    tensors[2] = tensors[2].to(dtype)
    return density, ShellIndex.of(density, tolerance=1e-12), tensors


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("periodic", [False, True])
def test_values_are_those_of_the_reference(
    random_density: MakeDensity, *, periodic: bool, moving: bool
) -> None:
    density, index, tensors = _case(random_density, periodic=periodic)
    tensors[0].requires_grad_(moving)
    found = density_at_points(index, *tensors).detach().numpy()
    expected = pairwise_density(density, tensors[3].numpy())
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("periodic", [False, True])
def test_all_gradients_are_finite_differences(
    random_density: MakeDensity, *, periodic: bool
) -> None:
    _, index, tensors = _case(random_density, periodic=periodic)
    tensors[3] = tensors[3][:1]
    for tensor in tensors:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: density_at_points(index, *a), tensors, atol=1e-7)


def test_cut_off_is_that_of_the_reference(random_density: MakeDensity) -> None:
    density, _, tensors = _case(random_density)
    index = ShellIndex.of(density, tolerance=1e-12, cutoff=1.3)
    found = density_at_points(index, *tensors).numpy()
    expected = pairwise_density(density, tensors[3].numpy(), cutoff=1.3)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_single_precision_is_enough_far_from_the_origin(random_density: MakeDensity) -> None:
    density, index, tensors = _case(random_density, dtype=torch.float32)
    far = torch.tensor([1e4, -1e4, 1e4], dtype=torch.float64)
    moved = [tensors[0] + far, *tensors[1:3], tensors[3] + far]
    found = density_at_points(index, *moved)
    assert found.dtype == torch.float32
    expected = pairwise_density(density, tensors[3].numpy())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_chunks_do_not_change_the_result(
    random_density: MakeDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", "0")
    _, index, tensors = _case(random_density)
    whole = density_at_points(index, *tensors)
    monkeypatch.setattr("scdp_models.density.autograd._CHUNK", 3)
    torch.testing.assert_close(density_at_points(index, *tensors), whole)


def test_arguments_must_fit_the_index(random_density: MakeDensity) -> None:
    _, index, (positions, exponents, coefficients, points) = _case(random_density)
    with pytest.raises(DensityError, match="do not fit the index"):
        density_at_points(index, positions, exponents, coefficients[:-1], points)
