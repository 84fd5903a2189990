"""The density at points as a differentiable function that keeps nothing between its two passes.

For training and forces. Values for every pair of a point and a shell exist for one centre at a
time, in the forward pass and again in the backward pass, whose formulas are written out. Around a
centre the points are sorted by distance: a group of shells of about the same reach then takes the
first of them, and is one exponential and one matrix product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from scdp_models.basis.shells import radial_norm
from scdp_models.density.compiled import is_compiled
from scdp_models.density.images import image_shifts
from scdp_models.density.shell_index import ShellIndex
from scdp_models.density.tabulated_gradient import TabulatedDensity
from scdp_models.density.triton_kernel import has_triton, triton_density
from scdp_models.errors import DensityError
from scdp_models.harmonics import real_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ShellIndex", "density_at_points"]

# Points at once.
_CHUNK = 2**16
# Shells of one centre share a list of points while their reach differs by less than this factor.
_RATIO = 0.6


class _Group(NamedTuple):
    """Shells of one centre with about the same reach (Å)."""

    reach: float
    shells: torch.Tensor


class _Centre(NamedTuple):
    """Points around one centre, sorted by distance: indices, vectors and squares (bohr)."""

    points: torch.Tensor
    vectors: torch.Tensor
    squares: torch.Tensor
    groups: list[tuple[int, torch.Tensor]]


def density_at_points(
    index: ShellIndex,
    positions: torch.Tensor,
    exponents: torch.Tensor,
    coefficients: torch.Tensor,
    points: torch.Tensor,
) -> torch.Tensor:
    """Return the density at points, with gradients for every floating-point argument.

    Parameters
    ----------
    index
        From :meth:`ShellIndex.of`.
    positions
        Shape ``(n_centres, 3)``, Å.
    exponents
        Shape ``(n_shells,)``, bohr^-2.
    coefficients
        Shape ``(n_functions,)``; their dtype is that of the arithmetic and of the result.
        Differences of positions and points are taken in double precision whatever it is.
    points
        Shape ``(n_points, 3)``, Å; they need not lie in the cell.

    Returns
    -------
    torch.Tensor
        Shape ``(n_points,)``, e/Å^3. On a GPU with Triton, and where neither positions nor points
        ask for gradients, one fused kernel runs forward and one backward.

    Raises
    ------
    DensityError
        If the shapes do not belong together.
    """
    n_functions = int((2 * index.shell_ls + 1).sum())
    if coefficients.shape != (n_functions,) or exponents.shape != index.shell_ls.shape:
        msg = (
            f"coefficients {tuple(coefficients.shape)} and exponents {tuple(exponents.shape)} do "
            f"not fit the index: expected ({n_functions},) and {index.shell_ls.shape}"
        )
        raise DensityError(msg)
    weights = _weights(index, exponents, coefficients)
    widths = exponents.to(coefficients.dtype)
    moving = positions.requires_grad or points.requires_grad
    if coefficients.is_cuda and has_triton() and not moving and not len(index.lattice):
        return triton_density(index, positions, widths, weights, points)
    tabulated = not moving and coefficients.device.type == "cpu" and is_compiled()
    function: Any = TabulatedDensity if tabulated else _Density
    total: torch.Tensor = function.apply(index, positions, widths, weights, points)
    return total


def _weights(
    index: ShellIndex, exponents: torch.Tensor, coefficients: torch.Tensor
) -> torch.Tensor:
    """Scatter c N into columns lm, shape ``(n_shells, (lmax + 1)^2)``, e/Å^3 per bohr^l."""
    ls = torch.as_tensor(index.shell_ls, device=coefficients.device)
    ones = radial_norm(index.shell_ls, np.ones(len(index.shell_ls))) / BOHR_TO_ANGSTROM**3
    factors = torch.as_tensor(ones).to(coefficients)
    norms = factors * exponents.to(coefficients) ** (0.5 * ls + 0.75)
    shell = torch.arange(len(ls), device=ls.device).repeat_interleave(2 * ls + 1)
    first = torch.cumsum(2 * ls + 1, 0) - (2 * ls + 1)
    column = torch.arange(len(shell), device=ls.device) - (first - ls**2)[shell]
    table = coefficients.new_zeros((len(ls), (int(index.shell_ls.max(initial=0)) + 1) ** 2))
    return table.index_put((shell, column), coefficients * norms[shell])


class _Density(torch.autograd.Function):
    """Sum over centres; the backward pass makes all it needs anew."""

    @staticmethod
    def forward(
        ctx: Any,
        index: ShellIndex,
        positions: torch.Tensor,
        exponents: torch.Tensor,
        weights: torch.Tensor,
        points: torch.Tensor,
    ) -> torch.Tensor:
        ctx.index = index
        ctx.save_for_backward(positions, exponents, weights, points)
        out = weights.new_zeros(len(points))
        for centre, around in _surroundings(index, positions, points, weights.dtype):
            radial = _radial(around, exponents, weights)
            harmonics = _harmonics(around.vectors, weights.shape[1])
            out.index_add_(0, around.points, (harmonics * radial).sum(1))
            del centre
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        positions, exponents, weights, points = ctx.saved_tensors
        wants = ctx.needs_input_grad
        moving = wants[1] or wants[4]
        slopes = [torch.zeros_like(t) for t in (positions, exponents, weights, points)]
        for centre, around in _surroundings(ctx.index, positions, points, weights.dtype):
            pulled = grad[around.points]
            harmonics = _harmonics(around.vectors, weights.shape[1])
            angular = pulled[:, None] * harmonics
            for count, shells in around.groups:
                exponentials = _exponentials(around, count, exponents[shells])
                slopes[2][shells] += exponentials.T @ angular[:count]
                if wants[2]:
                    steep = exponentials.mul_(around.squares[:count, None]).T @ angular[:count]
                    slopes[1][shells] -= (steep * weights[shells]).sum(1)
            if moving:
                force = _pull(around, exponents, weights, pulled).to(points.dtype)
                force /= BOHR_TO_ANGSTROM
                slopes[0][centre] -= force.sum(0)
                slopes[3].index_add_(0, around.points, force)
        chosen = (s if w else None for s, w in zip(slopes, wants[1:], strict=True))
        return (None, *chosen)


def _exponentials(around: _Centre, count: int, exponents: torch.Tensor) -> torch.Tensor:
    return torch.outer(around.squares[:count], exponents).neg_().exp_()


def _radial(around: _Centre, exponents: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the radial factors of all harmonics, shape ``(n_pairs, (lmax + 1)^2)``."""
    out = weights.new_zeros((len(around.points), weights.shape[1]))
    for count, shells in around.groups:
        out[:count].addmm_(_exponentials(around, count, exponents[shells]), weights[shells])
    return out


def _harmonics(vectors: torch.Tensor, n_columns: int) -> torch.Tensor:
    return real_harmonics(vectors, int(n_columns**0.5 + 0.5) - 1)


def _pull(
    around: _Centre, exponents: torch.Tensor, weights: torch.Tensor, pulled: torch.Tensor
) -> torch.Tensor:
    """Return `pulled` times the gradient of the density with respect to the vectors."""
    radial = _radial(around, exponents, weights)
    slope = _radial(around, exponents, -exponents[:, None] * weights)
    with torch.enable_grad():
        vectors = around.vectors.detach().requires_grad_()
        harmonics = _harmonics(vectors, weights.shape[1])
        (turn,) = torch.autograd.grad(
            harmonics, vectors, pulled[:, None] * radial, allow_unused=True, materialize_grads=True
        )
    along = pulled * (harmonics.detach() * slope).sum(1)
    return turn + 2 * along[:, None] * around.vectors


def _surroundings(
    index: ShellIndex, positions: torch.Tensor, points: torch.Tensor, dtype: torch.dtype
) -> Iterator[tuple[int, _Centre]]:
    """Yield every centre with the points around it, chunk after chunk of the points."""
    lattice = torch.as_tensor(index.lattice).to(points.device)
    inverse = torch.linalg.pinv(lattice)
    groups = _groups(index, points.device)
    reach = max((own[0].reach for own in groups.values()), default=0.0)
    shifts = torch.as_tensor(image_shifts(index.lattice, reach)).to(points.device)
    for start in range(0, len(points), _CHUNK):
        part = points[start : start + _CHUNK].detach().double()
        for centre, own in groups.items():
            vectors = part - positions[centre].detach().double()
            if len(lattice):
                vectors = vectors - torch.floor(vectors @ inverse) @ lattice
            every = (vectors[:, None] - shifts).reshape(-1, 3)
            squares = (every**2).sum(1)
            near = torch.nonzero(squares < own[0].reach ** 2)[:, 0]
            squares, order = torch.sort(squares[near])
            near = near[order]
            limits = squares.new_tensor([g.reach**2 for g in own])
            counts = torch.searchsorted(squares, limits).tolist()
            yield (
                centre,
                _Centre(
                    start + near // len(shifts),
                    (every[near] / BOHR_TO_ANGSTROM).to(dtype),
                    (squares / BOHR_TO_ANGSTROM**2).to(dtype),
                    [(n, g.shells) for n, g in zip(counts, own, strict=True) if n],
                ),
            )


def _groups(index: ShellIndex, device: torch.device) -> dict[int, list[_Group]]:
    """Group the shells of each centre by falling reach."""
    groups: dict[int, list[_Group]] = {}
    order = np.lexsort((-index.reach, index.shell_centres))
    for shell in order[index.reach[order] > 0].tolist():
        own = groups.setdefault(int(index.shell_centres[shell]), [])
        reach = float(index.reach[shell])
        single = torch.tensor([shell], device=device)
        if own and reach > _RATIO * own[-1].reach:
            own[-1] = _Group(own[-1].reach, torch.cat([own[-1].shells, single]))
        else:
            own.append(_Group(reach, single))
    return groups
