"""Layers and their parts."""

from __future__ import annotations

import pytest
import torch

from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.layers import DegreeNorm, EdgeGate, EdgeGrid
from scdp_models.nn.escn.wigner import rows_by_order


def test_the_gate_is_silu_for_what_is_invariant() -> None:
    rows = rows_by_order(2, 1)
    x = torch.randn(4, len(rows), 3)
    out = EdgeGate(2, 1)(x)
    torch.testing.assert_close(out[:, :3], torch.nn.functional.silu(x[:, :3]))
    # Pairs (+m, -m) of l = 1, 2 keep their direction and are gated by m = 0 of their own degree.
    torch.testing.assert_close(out[:, 3:5] / x[:, 3:5], out[:, 5:7] / x[:, 5:7])
    torch.testing.assert_close(out[:, 3:5], x[:, 3:5] * torch.sigmoid(x[:, 1:3]))


def test_the_grid_activation_of_a_constant_is_silu() -> None:
    config = EscnConfig(lmax=3, activation="s2")
    x = torch.zeros(1, len(rows_by_order(3, 2)), 1).double()
    value = 0.8  # on the sphere; Y_00 = 1 / sqrt(4 pi)
    x[0, 0, 0] = value * (4 * torch.pi) ** 0.5
    out = EdgeGrid(config)(x)[0, :, 0]
    expected = float(torch.nn.functional.silu(torch.tensor(value))) * (4 * torch.pi) ** 0.5
    assert float(out[0]) == pytest.approx(expected, rel=1e-6)
    assert float(out[1:].abs().max()) < 1e-12


def test_norms_give_large_features_unit_size() -> None:
    x = torch.randn(5, 64, 16).double() * torch.tensor([30.0]).double()
    out = DegreeNorm(64, 3).double()(x)
    assert float(out.detach().square().mean()) == pytest.approx(1.0, rel=0.05)


def test_norms_leave_small_features_alone() -> None:
    norm = DegreeNorm(3, 2).double()
    x = torch.zeros(1, 3, 9).double().requires_grad_()
    assert float(norm(x).detach().abs().max()) == 0.0
    norm(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().max()) == pytest.approx(1.0)


def test_norms_look_at_one_node_at_a_time() -> None:
    norm, x = DegreeNorm(3, 2), torch.randn(4, 3, 9)
    torch.testing.assert_close(norm(x)[:2], norm(x[:2]))
