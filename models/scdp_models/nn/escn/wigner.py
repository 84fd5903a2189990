"""Wigner matrices of rotations, only the rows that the frame of an edge needs."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import nn

from scdp_models.harmonics import gaunt

__all__ = ["WignerRows", "order_slices", "rows_by_order"]

_AXES = [1, 2, 0]  # harmonics of degree 1 are y, z, x


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

    Degree after degree: the part of degree l of the product Y_1a(R v) Y_(l-1)b(R v) is
    sum_c g_abc Y_lc(R v), g the integrals of three harmonics, and in terms of Y(v) it is
    sum_ijc D_ai D_bj g_ijc Y_lc(v). With a = z only c = b survives, which gives row by row what is
    needed; up to l = mmax all rows are. Everything is a polynomial in R: there are neither angles
    nor poles, and derivatives are exact anywhere.

    Parameters
    ----------
    lmax, mmax
        Highest degree and order.
    """

    axes: torch.Tensor
    places: torch.Tensor

    def __init__(self, lmax: int, mmax: int) -> None:
        super().__init__()
        self.lmax, self.mmax = lmax, mmax
        self.shape = (len(rows_by_order(lmax, mmax)), (lmax + 1) ** 2)
        for l in range(1, lmax + 1):
            integrals = torch.as_tensor(gaunt(1, l - 1, l))
            coupling = integrals.transpose(0, 1).flatten(1)
            self.register_buffer(f"coupling_{l}", coupling, persistent=False)
            back = self._all_rows(integrals) if l <= mmax else self._same_rows(integrals, l)
            self.register_buffer(f"back_{l}", back, persistent=False)
        self.register_buffer("axes", torch.tensor(_AXES), persistent=False)
        self.register_buffer("places", _places(lmax, mmax), persistent=False)

    def forward(self, rotations: torch.Tensor) -> torch.Tensor:
        """Map rotations ``(n, 3, 3)`` to matrices ``(n, n_rows, (lmax + 1)^2)``.

        Rows are in the order of :func:`rows_by_order`.
        """
        first = rotations[:, self.axes][:, :, self.axes]
        blocks = [torch.ones_like(rotations[:, :1, :1])]
        for l in range(1, self.lmax + 1):
            coupling = self.get_buffer(f"coupling_{l}").to(rotations.dtype)
            back = self.get_buffer(f"back_{l}").to(rotations.dtype)
            parts = (blocks[-1] @ coupling).unflatten(2, (3, 2 * l + 1))
            if l <= self.mmax:
                product = torch.einsum("eai,ebic->eabc", first, parts)
                blocks.append(back @ product.flatten(1, 2))
            else:
                blocks.append((parts * first[:, 1, None, :, None]).sum(2) * back)
        values = torch.cat([block.flatten(1) for block in blocks], dim=1)
        dense = values.new_zeros(len(values), self.shape[0] * self.shape[1])
        return dense.index_copy(1, self.places, values).view(-1, *self.shape)

    @staticmethod
    def _all_rows(integrals: torch.Tensor) -> torch.Tensor:
        """Return the left inverse of g as a matrix from pairs (a, b) to c."""
        matrix = integrals.flatten(0, 1)
        return matrix.T / matrix.square().sum(0)[:, None]  # orthogonal columns, by Schur's lemma

    def _same_rows(self, integrals: torch.Tensor, l: int) -> torch.Tensor:
        """Return 1 / g_zmm for |m| <= mmax as a column."""
        m = torch.arange(-self.mmax, self.mmax + 1)
        return 1 / integrals[1, m + l - 1, m + l][:, None]


def _places(lmax: int, mmax: int) -> torch.Tensor:
    """Return where the entries of the blocks go in the matrix, both flattened."""
    columns = (lmax + 1) ** 2
    position = {row: n for n, row in enumerate(rows_by_order(lmax, mmax).tolist())}
    return torch.tensor(
        [
            position[l * l + l + m] * columns + column
            for l in range(lmax + 1)
            for m in range(-min(l, mmax), min(l, mmax) + 1)
            for column in range(l * l, (l + 1) ** 2)
        ]
    )
