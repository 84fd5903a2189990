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


@pytest.mark.parametrize("compiled", ["1", "0"], ids=["tables", "direct"])
@pytest.mark.parametrize("cell", [None, 3.0 * CELL], ids=["molecule", "crystal"])
def test_gradients_of_hard_densities_in_double_precision(
    hard_density: MakeDensity,
    monkeypatch: pytest.MonkeyPatch,
    cell: np.ndarray | None,
    compiled: str,
) -> None:
    monkeypatch.setenv("SCDP_MODELS_NUMBA", compiled)
    density = hard_density(seed=5, cell=cell, pbc=(cell is not None,) * 3)
    index = ShellIndex.of(density, tolerance=1e-11)
    positions = torch.as_tensor(density.positions)
    points = positions[:2] + torch.tensor([[1e-3, 2e-3, -1e-3], [0.7, -0.4, 0.9]])

    def values(logarithms: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        return density_at_points(index, positions, logarithms.exp(), coefficients, points)

    logarithms = torch.tensor(np.log(density.shell_exponents), requires_grad=True)
    coefficients = torch.tensor(density.coefficients, requires_grad=True)
    # The first point sees values of 1e5 e/Å^3, whose last digits differences of 1e-6 magnify.
    inputs = logarithms, coefficients
    assert torch.autograd.gradcheck(values, inputs, rtol=1e-5, atol=1e-3, fast_mode=True)


def test_slopes_at_points_are_those_of_the_reference(hard_density: MakeDensity) -> None:
    density = hard_density(seed=6)
    index = ShellIndex.of(density, tolerance=1e-11)
    positions = torch.tensor(density.positions, requires_grad=True)
    points = torch.tensor(density.positions + 0.01, requires_grad=True)
    shells = torch.tensor(density.shell_exponents), torch.tensor(density.coefficients)
    density_at_points(index, positions, *shells, points).sum().backward()
    _, expected = pairwise_density(density, points.detach().numpy(), gradient=True)
    assert points.grad is not None
    assert positions.grad is not None
    np.testing.assert_allclose(points.grad.numpy(), expected, rtol=1e-9, atol=1e-7)
    # Atoms and points moved together change nothing.
    np.testing.assert_allclose(positions.grad.numpy().sum(0), -expected.sum(0), rtol=1e-7)


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
