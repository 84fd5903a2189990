"""Wigner matrices of rotations, only the rows that the frame of an edge needs."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import nn

from scdp_models.harmonics import real_harmonics, sphere_quadrature
from scdp_models.nn.equivariant import degree_index

__all__ = ["WignerRows", "order_slices", "rows_by_order"]


def rows_by_order(lmax: int, mmax: int) -> torch.Tensor:
    """List the components (l, m) with |m| <= `mmax`, order after order.

    First m = 0 of all l, then for m = 1, 2, ... the cosines (+m) of all l >= m followed by the
    sines (-m), so that what an SO(2) layer mixes is contiguous.

    Returns
    -------
    torch.Tensor
        Positions l^2 + l + m in the usual order.
    """
    rows = [l * l + l for l in range(lmax + 1)]
    for m in range(1, mmax + 1):
        for sign in (1, -1):
            rows += [l * l + l + sign * m for l in range(m, lmax + 1)]
    return torch.tensor(rows)


def order_slices(lmax: int, mmax: int) -> list[slice]:
    """Return where the components of |m| = 0..`mmax` are in :func:`rows_by_order`."""
    counts = [(1 if m == 0 else 2) * (lmax + 1 - m) for m in range(mmax + 1)]
    ends = list(accumulate(counts))
    return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]


class WignerRows(nn.Module):
    """Rows |m| <= mmax of the matrices D(R) with Y(R v) = D(R) Y(v), for l = 0..lmax.

    D = sum_p w_p Y(R v_p) Y(v_p)^T over a quadrature exact to degree 2 lmax. Harmonics are
    polynomials, so this has neither Euler angles nor poles and can be differentiated anywhere.
    Within one degree the integrand is even: half of the sphere is enough.

    Parameters
    ----------
    lmax, mmax
        Highest degree and order.
    """

    points: torch.Tensor
    weighted: torch.Tensor
    rows: torch.Tensor
    same_degree: torch.Tensor

    def __init__(self, lmax: int, mmax: int) -> None:
        super().__init__()
        self.lmax = lmax
        points, weights = sphere_quadrature(lmax + 1, 2 * lmax + 2)
        x, y, z = points.round(12).T
        half = (z > 0) | ((z == 0) & ((y > 0) | ((y == 0) & (x > 0))))
        points, weights = points[half], 2 * weights[half]
        rows, degree = rows_by_order(lmax, mmax), degree_index(lmax)
        weighted = torch.as_tensor(real_harmonics(points, lmax) * weights[:, None])
        same = degree[rows][:, None] == degree[None, :]
        self.register_buffer("points", torch.as_tensor(points), persistent=False)
        self.register_buffer("weighted", weighted, persistent=False)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("same_degree", same, persistent=False)

    def forward(self, rotations: torch.Tensor) -> torch.Tensor:
        """Map rotations ``(n, 3, 3)`` to matrices ``(n, n_rows, (lmax + 1)^2)``.

        Rows are in the order of :func:`rows_by_order`.
        """
        points = self.points.to(rotations.dtype)
        turned = torch.einsum("pj,eij->epi", points, rotations)
        harmonics = real_harmonics(turned, self.lmax)[..., self.rows]
        dense = harmonics.transpose(1, 2) @ self.weighted.to(rotations.dtype)
        return dense * self.same_degree
