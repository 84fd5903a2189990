"""Building blocks commute with rotations and reflections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from scipy.linalg import block_diag

from scdp_models.density.orbital import rotation_matrix
from scdp_models.nn.equivariant import DegreeLinear, QuadraticBlock, degree_index
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    import numpy as np


def _rotation(lmax: int, rotation: np.ndarray) -> torch.Tensor:
    """Return the matrix that rotates a row of harmonic coefficients."""
    blocks = [rotation_matrix(l, rotation) for l in range(lmax + 1)]
    return torch.as_tensor(block_diag(*blocks))


def test_degrees_are_listed_component_by_component() -> None:
    assert degree_index(2).tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("lmax", [0, 3, 6])
@pytest.mark.parametrize("kind", ["linear", "quadratic"])
def test_blocks_commute_with_orthogonal_matrices(
    rng: np.random.Generator, lmax: int, kind: str
) -> None:
    layer = DegreeLinear(3, 3, lmax) if kind == "linear" else QuadraticBlock(3, lmax)
    layer = layer.double()
    x = torch.as_tensor(rng.normal(size=(2, 3, (lmax + 1) ** 2)))
    before = layer(x).detach()
    for rotation in random_rotations():
        turn = _rotation(lmax, rotation).T
        error = (layer(x @ turn).detach() - before @ turn).abs().max() / before.abs().max()
        assert float(error) < 1e-12


def test_mixing_channels_keeps_degrees_apart() -> None:
    layer = DegreeLinear(2, 5, 2)
    x = torch.zeros(1, 2, 9)
    x[:, :, 4:] = 1.0
    out = layer(x)
    assert out.shape == (1, 5, 9)
    assert bool((out[:, :, :4] == 0).all())


def test_a_quadratic_block_couples_degrees() -> None:
    x = torch.zeros(1, 2, 9)
    x[:, :, 1:4] = torch.randn(1, 2, 3)  # l = 1 alone
    change = (QuadraticBlock(2, 2)(x) - x).detach()
    assert float(change[:, :, 0].abs().max()) > 1e-3
    assert float(change[:, :, 4:].abs().max()) > 1e-3
    assert float(change[:, :, 1:4].abs().max()) < 1e-6  # parity forbids 1 x 1 -> 1
