"""The differentiable density at points through radial tables, and their transpose backward.

The forward pass fills one table per centre and looks every pair of a point and a centre up in it;
the backward pass spreads the slopes of the points over the terms of the table and takes them from
there to the shells. The cost of a pair does not depend on the number of shells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from scdp_models.density.images import first_image
from scdp_models.density.radial_table import TO_TERMS, images_near, nodes_of_octave, sort_points
from scdp_models.density.table_types import COLUMNS, RadialTable
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_models.density.shell_index import ShellIndex
    from scdp_models.density.table_types import Bins

__all__ = ["TabulatedDensity"]

# Pieces per octave: a function is then exact to 3e-10 of its peak.
_PIECES = 8
# Octaves that are tabulated at once, without the shells that are below exp(-50) on all of them.
_OCTAVES = 4
_LOG_NEGLIGIBLE = 50.0


class _Centre(NamedTuple):
    """Shells of a centre, an empty table, its nodes by octave, its images and radius."""

    shells: NDArray[np.int64]
    table: RadialTable
    nodes: list[NDArray[np.float64]]
    images: NDArray[np.float64]
    radius: float


class _Problem(NamedTuple):
    """The arguments as arrays: exponents in bohr^-2, weights (n_shells, n_columns), points."""

    bins: Bins
    order: NDArray[np.int64]
    exponents: NDArray[np.float64]
    weights: NDArray[np.float64]
    centres: list[_Centre]


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().numpy(), dtype=np.float64)


def _problem(
    index: ShellIndex,
    positions: torch.Tensor,
    exponents: torch.Tensor,
    weights: torch.Tensor,
    ordered: tuple[Bins, NDArray[np.int64]],
) -> _Problem:
    bins, order = ordered
    bounds = bins.low, bins.low + bins.counts * bins.width
    a, centres = _array(exponents), []
    lmax = int(weights.shape[1] ** 0.5 + 0.5) - 1
    padding = (0, -weights.shape[1] % COLUMNS)
    factors = np.pad(_scale(_array(weights), lmax), ((0, 0), padding))
    for own, radius in index.by_centre():
        position = _array(positions)[index.shell_centres[own[0]]]
        images = images_near(bounds, index.lattice, position, radius)
        # Squared distances count in bohr^2 as the exponents do.
        s0 = float(1 / a[own].max())
        n_octaves = int(np.ceil(np.log2(1 + (radius / BOHR_TO_ANGSTROM) ** 2 / s0) + 1e-9)) or 1
        table = RadialTable(
            lmax=lmax,
            scale=1 / s0 / BOHR_TO_ANGSTROM**2,
            first=_PIECES * np.arange(n_octaves),
            pieces=np.full(n_octaves, float(_PIECES)),
            terms=np.zeros((_PIECES * n_octaves, len(TO_TERMS), factors.shape[1])),
        )
        nodes = [nodes_of_octave(s0, octave, _PIECES) for octave in range(n_octaves)]
        centres.append(_Centre(own, table, nodes, images, radius))
    return _Problem(bins, order, a, factors, centres)


def _scale(weights: NDArray[np.float64], lmax: int) -> NDArray[np.float64]:
    """Turn factors of (d/bohr)^l into factors of (d/Å)^l."""
    degrees = np.repeat(np.arange(lmax + 1), 2 * np.arange(lmax + 1) + 1)
    return np.asarray(weights[:, : len(degrees)] * BOHR_TO_ANGSTROM ** -degrees.astype(float))


def _blocks(
    problem: _Problem, centre: _Centre
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield some pieces at a time, the shells seen there, their exponentials, the nodes."""
    for start in range(0, len(centre.nodes), _OCTAVES):
        nodes = np.concatenate(centre.nodes[start : start + _OCTAVES])
        seen = centre.shells[problem.exponents[centre.shells] * nodes.min() < _LOG_NEGLIGIBLE]
        exponentials = np.exp(-np.outer(nodes, problem.exponents[seen]))
        first = _PIECES * start
        yield slice(first, first + len(nodes) // len(TO_TERMS)), seen, exponentials, nodes


class TabulatedDensity(torch.autograd.Function):
    """Density at points, differentiable by exponents and weights; on the CPU, with numba."""

    @staticmethod
    def forward(
        ctx: Any,
        index: ShellIndex,
        positions: torch.Tensor,
        exponents: torch.Tensor,
        weights: torch.Tensor,
        points: torch.Tensor,
    ) -> torch.Tensor:
        """Fill the tables and look the points up."""
        from scdp_models.density.table_loops import add_points

        ctx.index = index
        ctx.save_for_backward(positions, exponents, weights)
        ctx.ordered = sort_points(first_image(_array(points), index.lattice))
        problem = _problem(index, positions, exponents, weights, ctx.ordered)
        total = np.zeros(len(points))
        for centre in problem.centres:
            for part, seen, exponentials, _ in _blocks(problem, centre):
                values = exponentials @ problem.weights[seen]
                centre.table.terms[part] = TO_TERMS @ values.reshape(
                    -1, len(TO_TERMS), values.shape[1]
                )
            add_points(total, problem.bins, centre.table, centre.images, centre.radius, pull=False)
        out = np.empty(len(points))
        out[problem.order] = total
        return torch.as_tensor(out).to(weights.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the slopes of exponents and weights."""
        from scdp_models.density.table_loops import add_points

        positions, exponents, weights = ctx.saved_tensors
        problem = _problem(ctx.index, positions, exponents, weights, ctx.ordered)
        slopes = np.ascontiguousarray(_array(grad)[problem.order])
        by_weight, by_exponent = np.zeros(problem.weights.shape), np.zeros(len(exponents))
        for centre in problem.centres:
            add_points(slopes, problem.bins, centre.table, centre.images, centre.radius, pull=True)
            for part, seen, exponentials, nodes in _blocks(problem, centre):
                pulled = (TO_TERMS.T @ centre.table.terms[part]).reshape(len(nodes), -1)
                by_weight[seen] += exponentials.T @ pulled
                if ctx.needs_input_grad[2]:
                    steep = (nodes[:, None] * exponentials).T @ pulled
                    by_exponent[seen] -= (steep * problem.weights[seen]).sum(axis=1)
        lmax = int(weights.shape[1] ** 0.5 + 0.5) - 1
        widths = torch.as_tensor(by_exponent).to(exponents) if ctx.needs_input_grad[2] else None
        return None, None, widths, torch.as_tensor(_scale(by_weight, lmax)).to(weights), None
