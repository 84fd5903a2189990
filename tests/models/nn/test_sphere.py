"""Products on the sphere grid are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scdp_models.harmonics import gaunt
from scdp_models.nn.sphere import SphereGrid


def _product_by_gaunt(a: np.ndarray, b: np.ndarray, lmax: int) -> np.ndarray:
    """Multiply two expansions through integrals of three harmonics."""
    out = np.zeros((lmax + 1) ** 2)
    blocks = [slice(l * l, (l + 1) ** 2) for l in range(lmax + 1)]
    for l1 in range(lmax + 1):
        for l2 in range(lmax + 1):
            for l3 in range(lmax + 1):
                triple = gaunt(l1, l2, l3)
                out[blocks[l3]] += np.einsum("abc,a,b->c", triple, a[blocks[l1]], b[blocks[l2]])
    return out


@pytest.mark.parametrize("lmax", range(7))
def test_products_agree_with_triple_integrals(rng: np.random.Generator, lmax: int) -> None:
    grid = SphereGrid(lmax)
    a, b = rng.normal(size=(2, (lmax + 1) ** 2))
    values = grid.to_grid(torch.as_tensor(a)) * grid.to_grid(torch.as_tensor(b))
    np.testing.assert_allclose(
        grid.from_grid(values).numpy(), _product_by_gaunt(a, b, lmax), atol=1e-12
    )


def test_going_to_the_grid_and_back_changes_nothing(rng: np.random.Generator) -> None:
    grid = SphereGrid(4)
    x = torch.as_tensor(rng.normal(size=(3, 2, 25)))
    torch.testing.assert_close(grid.from_grid(grid.to_grid(x)), x, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("lmax", "points"), [(0, 1), (2, 28), (4, 91)])
def test_the_grid_is_no_larger_than_it_must_be(lmax: int, points: int) -> None:
    assert SphereGrid(lmax).n_points == points


def test_the_grid_is_no_part_of_a_checkpoint() -> None:
    assert not SphereGrid(3).state_dict()
