"""Rotations that turn the vector of an edge on the polar axis.

Two conventions live here. Ours has the polar axis z. Published eSCN models have the polar axis y:
their harmonics of a vector (x, y, z) are ours of (z, x, y), so that a rotation R of theirs is the
rotation P R P^T of ours, P (x, y, z) = (z, x, y).
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["frames_to_z", "from_polar_y", "through_angles"]

_ORDER = [2, 0, 1]


def frames_to_z(directions: torch.Tensor) -> torch.Tensor:
    """Build one rotation R per unit vector e such that R e = z.

    On each half of the sphere the frame is a rational function of e without poles (the smallest
    rotation, after half a turn about x where e_z < 0), so that derivatives are exact everywhere.
    Between the halves it jumps by a rotation about the edge.

    Parameters
    ----------
    directions
        Unit vectors, shape ``(n, 3)``.

    Returns
    -------
    torch.Tensor
        Shape ``(n, 3, 3)``, determinant 1.
    """
    sign = torch.where(directions[:, 2] < 0, -1.0, 1.0).to(directions.dtype)
    x, y, z = directions[:, 0], sign * directions[:, 1], sign * directions[:, 2]
    scale = 1 / (1 + z)
    rows = [1 - x * x * scale, -x * y * scale, -x]
    rows += [-x * y * scale, 1 - y * y * scale, -y]
    rows += [x, y, z]
    frames = torch.stack(rows, dim=1).view(-1, 3, 3)
    turn = torch.stack([torch.ones_like(sign), sign, sign], dim=1)
    return frames * turn[:, None, :]


def from_polar_y(tensors: torch.Tensor) -> torch.Tensor:
    """Carry vectors ``(n, 3)`` or rotations ``(n, 3, 3)`` from polar axis y to polar axis z."""
    moved = tensors[..., _ORDER]
    return moved if tensors.ndim == 2 else moved[:, _ORDER]


def through_angles(rotations: torch.Tensor) -> torch.Tensor:
    """Take rotations apart into Euler angles y-x-y and put them together again.

    That is how the published code reads its frames. It matters where they are rounded: the middle
    angle is an arc cosine, which near the poles turns a rounding of 1e-7 into an angle of 3e-4.

    Parameters
    ----------
    rotations
        Shape ``(n, 3, 3)``, polar axis y.
    """
    axis = nn.functional.normalize(rotations[:, :, 1], dim=1).clamp(-1, 1)
    tilt = _about_y(torch.atan2(axis[:, 0], axis[:, 2])) @ _about_x(torch.acos(axis[:, 1]))
    rest = tilt.transpose(1, 2) @ rotations
    return tilt @ _about_y(torch.atan2(rest[:, 0, 2], rest[:, 0, 0]))


def _about_y(angles: torch.Tensor) -> torch.Tensor:
    c, s, one, zero = _entries(angles)
    return torch.stack([c, zero, s, zero, one, zero, -s, zero, c], dim=1).view(-1, 3, 3)


def _about_x(angles: torch.Tensor) -> torch.Tensor:
    c, s, one, zero = _entries(angles)
    return torch.stack([one, zero, zero, zero, c, -s, zero, s, c], dim=1).view(-1, 3, 3)


def _entries(angles: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return angles.cos(), angles.sin(), torch.ones_like(angles), torch.zeros_like(angles)
