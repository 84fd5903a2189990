"""Factors on exponents: bounded, one at first, invariant, and each species' own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.orbital import rotation_matrix
from scdp_models.nn.exponents import ExponentScaling, PublishedExponentScaling, exponent_factor

BASIS = BasisSet(
    "two",
    {1: ElementBasis((0, 1), (0.5, 0.8)), 8: ElementBasis((0, 0, 1, 2), (0.3, 2, 1, 0.7))},
)
SPECIES = torch.tensor([0, 1, 1])


def _features() -> torch.Tensor:
    return torch.randn(3, 4, 9, dtype=torch.float64)


def test_factors_lie_between_a_half_and_two() -> None:
    y = torch.tensor([-40.0, -1.0, 0.0, 1.0, 40.0])
    factors = exponent_factor(y)
    assert factors[2] == 1
    assert factors[0] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(2.0)
    assert bool((factors.diff() > 0).all())


@pytest.mark.parametrize("kind", [ExponentScaling, PublishedExponentScaling])
def test_training_starts_at_the_given_exponents(kind: type[torch.nn.Module]) -> None:
    factors = kind(BASIS, 4, 2, 6).double()(_features(), SPECIES)
    assert factors.shape == (3, 4)
    assert bool((factors == 1).all())


def test_turned_surroundings_scale_exponents_alike() -> None:
    scaling = ExponentScaling(BASIS, 4, 2, 6).double()
    torch.nn.init.normal_(scaling.weight)
    turn = -Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    matrix = torch.block_diag(*(torch.as_tensor(rotation_matrix(l, turn)) for l in range(3)))
    features = _features()
    before, after = scaling(features, SPECIES), scaling(features @ matrix.T, SPECIES)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)
    assert float(before.detach().std()) > 0.01


def test_each_species_has_its_own_columns() -> None:
    scaling = ExponentScaling(BASIS, 4, 2, 6).double()
    features = _features()
    scaling(features, SPECIES)[SPECIES == 1].sum().backward()
    for parameter in (scaling.weight, scaling.bias):
        assert parameter.grad is not None
        assert bool(parameter.grad[1].any())
        assert not bool(parameter.grad[0].any())
