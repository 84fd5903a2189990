"""The density at points on a GPU: one fused kernel forward, one backward.

A program takes a tile of points and one centre. Exponentials of all its shells times their weights
are a small matrix product, and so are harmonics as sums of monomials; neither leaves the chip. The
backward kernel makes both anew and adds the slopes of weights and exponents.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from scdp_models.harmonics import monomial_exponents, solid_harmonic_matrix
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from scdp_models.density.shell_index import ShellIndex

__all__ = ["has_triton", "triton_density"]

# Points of a tile, shells of a step.
_TILE, _SHELLS = 64, 16


def has_triton() -> bool:
    """Say whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None


class _Launch(NamedTuple):
    """What both kernels read; all lengths in bohr."""

    places: torch.Tensor
    centres: torch.Tensor
    bounds: torch.Tensor
    limits: torch.Tensor
    exponents: torch.Tensor
    weights: torch.Tensor
    powers: torch.Tensor
    monomials: torch.Tensor
    n_points: int


class _Sizes(NamedTuple):
    """What the kernels are compiled for: points and shells of a step, columns, monomials, lmax."""

    tile: int
    shells: int
    columns: int
    monomials: int
    lmax: int


@lru_cache(maxsize=8)
def _monomials(lmax: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return powers ``(3, n)`` and the matrix ``(n, columns)`` from monomials to harmonics.

    Both sizes are padded to powers of two of at least 16, as matrix products on a GPU want.
    """
    rows = [monomial_exponents(l) for l in range(lmax + 1)]
    n_rows, n_columns = sum(len(r) for r in rows), (lmax + 1) ** 2
    height, width = (max(16, 1 << (n - 1).bit_length()) for n in (n_rows, n_columns))
    powers, matrix = np.zeros((3, height), dtype=np.int32), np.zeros((height, width))
    start = 0
    for l, own in enumerate(rows):
        powers[:, start : start + len(own)] = own.T
        matrix[start : start + len(own), l * l : (l + 1) ** 2] = solid_harmonic_matrix(l).T
        start += len(own)
    return torch.as_tensor(powers), torch.as_tensor(matrix)


def _launch(
    index: ShellIndex,
    positions: torch.Tensor,
    exponents: torch.Tensor,
    weights: torch.Tensor,
    points: torch.Tensor,
) -> tuple[_Launch, _Sizes, torch.Tensor]:
    """Sort the shells by centre and move the origin to the middle; returns the order too."""
    device = weights.device
    own = list(index.by_centre())
    order = np.concatenate([shells for shells, _ in own]) if own else np.zeros(0, dtype=np.int64)
    ends = np.cumsum([0, *(len(shells) for shells, _ in own)])
    centres = index.shell_centres[[int(shells[0]) for shells, _ in own]]
    middle = positions.double().mean(0)
    lmax = int(weights.shape[1] ** 0.5 + 0.5) - 1
    powers, matrix = _monomials(lmax)
    rows = torch.as_tensor(order, device=device)
    padded = torch.nn.functional.pad(weights[rows], (0, matrix.shape[1] - weights.shape[1]))
    radii = np.array([radius for _, radius in own]) / BOHR_TO_ANGSTROM
    launch = _Launch(
        places=((points.double() - middle) / BOHR_TO_ANGSTROM).to(weights).contiguous(),
        centres=((positions.double() - middle) / BOHR_TO_ANGSTROM).to(weights)[
            torch.as_tensor(centres, device=device)
        ],
        bounds=torch.as_tensor(ends, dtype=torch.int32, device=device),
        limits=torch.as_tensor(radii**2).to(weights),
        exponents=exponents[rows].contiguous(),
        weights=padded.contiguous(),
        powers=powers.to(device),
        monomials=matrix.to(weights),
        n_points=len(points),
    )
    return launch, _Sizes(_TILE, _SHELLS, matrix.shape[1], matrix.shape[0], lmax), rows


def triton_density(
    index: ShellIndex,
    positions: torch.Tensor,
    exponents: torch.Tensor,
    weights: torch.Tensor,
    points: torch.Tensor,
) -> torch.Tensor:
    """Return the density of a molecule at points, differentiable by exponents and weights.

    Parameters
    ----------
    index, positions, points
        As in :func:`scdp_models.density.autograd.density_at_points`.
    exponents
        Shape ``(n_shells,)``, bohr^-2.
    weights
        Shape ``(n_shells, (lmax + 1)^2)``: factors of r^l Y_lm exp(-a r^2), r in bohr.
    """
    function: Any = _Fused
    total: torch.Tensor = function.apply(index, positions, exponents, weights, points)
    return total


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        index: ShellIndex,
        positions: torch.Tensor,
        exponents: torch.Tensor,
        weights: torch.Tensor,
        points: torch.Tensor,
    ) -> torch.Tensor:
        from scdp_models.density.triton_loops import forward_kernel

        launch, sizes, rows = _launch(index, positions, exponents, weights, points)
        ctx.launch, ctx.sizes, ctx.rows, ctx.columns = launch, sizes, rows, weights.shape
        out = weights.new_zeros(len(points))
        if len(rows) and len(points):
            grid = (-(-len(points) // _TILE), len(launch.centres))
            forward_kernel[grid](launch, out, tuple(sizes))
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from scdp_models.density.triton_loops import backward_kernel

        launch, rows = ctx.launch, ctx.rows
        by_weight, by_exponent = (
            torch.zeros_like(launch.weights),
            torch.zeros_like(launch.exponents),
        )
        if len(rows) and len(grad):
            grid = (-(-len(grad) // _TILE), len(launch.centres))
            slopes = (grad.contiguous(), by_weight, by_exponent)
            backward_kernel[grid](launch, slopes, tuple(ctx.sizes))
        weights = by_weight.new_zeros(ctx.columns)
        weights[rows] = by_weight[:, : ctx.columns[1]]
        exponents = by_exponent.new_zeros(ctx.columns[0])
        exponents[rows] = by_exponent
        return None, None, exponents, weights, None
