"""Functions of the distance."""

from __future__ import annotations

import math

import pytest
import torch

from scdp_models.nn.radial import BesselBasis, smooth_envelope


def test_the_envelope_falls_from_one_to_zero() -> None:
    x = torch.linspace(0, 1.5, 301, dtype=torch.float64)
    values = smooth_envelope(x)
    assert values[0] == 1
    assert bool((values[x >= 1] == 0).all())
    assert bool((values.diff() <= 0).all())


def test_the_envelope_ends_with_two_vanishing_derivatives() -> None:
    x = torch.tensor([1 - 1e-4], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(smooth_envelope(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert abs(first.item()) < 1e-5
    assert abs(second.item()) < 0.1
    assert float(smooth_envelope(x.detach())) < 1e-10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_are_those_of_the_spherical_box(dtype: torch.dtype) -> None:
    basis = BesselBasis(5, 4.0)
    distance = torch.tensor([0.5, 1.7, 3.2], dtype=dtype)
    values = basis(distance)
    assert values.dtype == dtype
    n = torch.arange(1, 6, dtype=dtype)
    free = math.sqrt(2 / 4.0) * torch.sin(n * math.pi * distance[:, None] / 4.0)
    expected = free / distance[:, None] * smooth_envelope(distance / 4.0)[:, None] * 4.0
    torch.testing.assert_close(values, expected)


def test_functions_without_their_envelope_are_orthonormal() -> None:
    basis, cutoff = BesselBasis(4, 3.0), 3.0
    d = (torch.arange(20_000, dtype=torch.float64) + 0.5) * cutoff / 20_000
    bare = basis(d) / (smooth_envelope(d / cutoff)[:, None] * cutoff)
    overlap = torch.einsum("di,dj,d->ij", bare, bare, d**2) * cutoff / 20_000
    torch.testing.assert_close(overlap, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-4)
