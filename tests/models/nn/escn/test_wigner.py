"""Wigner matrices: their definition, another implementation, their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from e3nn import o3

from scdp_models.density.orbital import rotation_matrix
from scdp_models.nn.escn.frames import frames_to_z, from_polar_y
from scdp_models.nn.escn.wigner import WignerRows, order_slices, rows_by_order
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    import numpy as np


def test_rows_are_listed_order_after_order() -> None:
    assert rows_by_order(2, 1).tolist() == [0, 2, 6, 3, 7, 1, 5]
    assert order_slices(2, 1) == [slice(0, 3), slice(3, 7)]


@pytest.mark.parametrize(("lmax", "mmax"), [(0, 0), (2, 2), (3, 0), (4, 1), (6, 2), (8, 8)])
def test_rows_turn_harmonics(lmax: int, mmax: int) -> None:
    rows, matrices = rows_by_order(lmax, mmax), random_rotations(3, 0)
    found = WignerRows(lmax, mmax)(torch.stack([torch.as_tensor(m) for m in matrices]))
    for matrix, wigner in zip(matrices, found, strict=True):
        full = [torch.as_tensor(rotation_matrix(l, matrix)) for l in range(lmax + 1)]
        torch.testing.assert_close(wigner, torch.block_diag(*full)[rows], atol=1e-12, rtol=0)


def test_they_agree_with_e3nn() -> None:
    # e3nn keeps its generators in the default precision.
    torch.set_default_dtype(torch.float64)
    try:
        rotations = o3.rand_matrix(5)
        blocks = [o3.wigner_D(l, *o3.matrix_to_angles(rotations)) for l in range(9)]
    finally:
        torch.set_default_dtype(torch.float32)
    found = WignerRows(8, 8)(from_polar_y(rotations))[:, rows_by_order(8, 8).argsort()]
    for l, block in enumerate(blocks):
        part = slice(l * l, (l + 1) ** 2)
        torch.testing.assert_close(found[:, part, part], block, atol=1e-12, rtol=0)


def test_derivatives_are_those_of_differences(rng: np.random.Generator) -> None:
    wigner = WignerRows(4, 2)
    weights = torch.as_tensor(rng.normal(size=(1, *wigner.shape)))

    def value(vectors: torch.Tensor) -> torch.Tensor:
        unit = vectors / vectors.norm(dim=1, keepdim=True)
        total: torch.Tensor = (wigner(frames_to_z(unit)) * weights).sum()
        return total

    vectors = torch.as_tensor(rng.normal(size=(3, 3))).requires_grad_()
    poles = torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, -1.0]]).double().requires_grad_()
    for where in (vectors, poles):
        assert torch.autograd.gradcheck(value, where)
