"""Rotations into the frames of edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from scdp_models.nn.escn.frames import frames_to_z, from_polar_y, through_angles

if TYPE_CHECKING:
    import numpy as np


@pytest.fixture
def directions(rng: np.random.Generator) -> torch.Tensor:
    """Give unit vectors, the axes and their neighbourhood among them."""
    axes = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    random = torch.as_tensor(rng.normal(size=(20, 3)))
    vectors = torch.cat([axes, axes + 1e-9, random])
    unit: torch.Tensor = vectors / vectors.norm(dim=1, keepdim=True)
    return unit


def test_frames_turn_the_edge_on_z(directions: torch.Tensor) -> None:
    frames = frames_to_z(directions)
    turned = (frames @ directions[:, :, None])[:, :, 0]
    torch.testing.assert_close(turned, torch.eye(3)[2].double().expand_as(turned))
    identity = torch.eye(3).double().expand_as(frames)
    torch.testing.assert_close(frames @ frames.transpose(1, 2), identity)
    assert bool((torch.linalg.det(frames) > 0.999).all())


def test_derivatives_have_no_poles(directions: torch.Tensor) -> None:
    directions.requires_grad_()
    frames_to_z(directions).square().sum().backward()
    assert directions.grad is not None
    assert float(directions.grad.abs().max()) < 20


def test_the_published_axis_becomes_ours(directions: torch.Tensor) -> None:
    frames = frames_to_z(directions)
    x, y, z = from_polar_y(directions).T
    torch.testing.assert_close(torch.stack([y, z, x], dim=1), directions)
    product = (from_polar_y(frames) @ from_polar_y(directions)[:, :, None])[:, :, 0]
    expected = from_polar_y((frames @ directions[:, :, None])[:, :, 0])
    torch.testing.assert_close(product, expected)


def test_angles_give_the_rotation_back(directions: torch.Tensor) -> None:
    frames = frames_to_z(directions)
    torch.testing.assert_close(through_angles(frames), frames, atol=1e-7, rtol=0)
