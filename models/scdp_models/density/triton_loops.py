"""The GPU kernels, in Triton's language. Import only where Triton is installed.

So far they have run in Triton's interpreter on a CPU only, not on a GPU.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl

__all__ = ["backward_kernel", "forward_kernel"]


def _pairs(launch: Any, SIZES: tl.constexpr) -> Any:
    """Return points of this program's tile, which of them count, their squares and harmonics."""
    TILE: tl.constexpr = SIZES[0]
    COLUMNS: tl.constexpr = SIZES[2]
    MONOMIALS: tl.constexpr = SIZES[3]
    LMAX: tl.constexpr = SIZES[4]
    centre = tl.program_id(1)
    point = tl.program_id(0) * TILE + tl.arange(0, TILE)
    inside = point < launch.n_points
    row = tl.arange(0, MONOMIALS)
    monomials = tl.full((TILE, MONOMIALS), 1.0, launch.weights.dtype.element_ty)
    squares = tl.zeros((TILE,), launch.weights.dtype.element_ty)
    for axis in tl.static_range(3):
        place = tl.load(launch.centres + 3 * centre + axis)
        d = tl.load(launch.places + 3 * point + axis, mask=inside, other=0.0) - place
        squares += d * d
        power = tl.load(launch.powers + MONOMIALS * axis + row)
        for n in tl.static_range(LMAX):
            monomials *= tl.where(power[None, :] > n, d[:, None], 1.0)
    near = inside & (squares < tl.load(launch.limits + centre))
    column = tl.arange(0, COLUMNS)
    matrix = tl.load(launch.monomials + row[:, None] * COLUMNS + column[None, :])
    harmonics = tl.dot(monomials, matrix, input_precision="ieee", out_dtype=squares.dtype)
    return point, near, squares, harmonics


def _shells(launch: Any, start: Any, squares: Any, SIZES: tl.constexpr) -> Any:
    """Return some shells from `start` on, which of them exist, weights and exponentials."""
    SHELLS: tl.constexpr = SIZES[1]
    COLUMNS: tl.constexpr = SIZES[2]
    shell = start + tl.arange(0, SHELLS)
    known = shell < tl.load(launch.bounds + tl.program_id(1) + 1)
    exponents = tl.load(launch.exponents + shell, mask=known, other=0.0)
    places = shell[:, None] * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    weights = tl.load(launch.weights + places, mask=known[:, None], other=0.0)
    exponentials = tl.exp(-squares[:, None] * exponents[None, :])
    return shell, known, places, weights, exponentials


_read_pairs: Any = triton.jit(_pairs)
_read_shells: Any = triton.jit(_shells)


def _forward(launch: Any, out: Any, SIZES: tl.constexpr) -> None:
    """Add the density of one centre to the points of a tile."""
    TILE: tl.constexpr = SIZES[0]
    SHELLS: tl.constexpr = SIZES[1]
    COLUMNS: tl.constexpr = SIZES[2]
    point, near, squares, harmonics = _read_pairs(launch, SIZES)
    radial = tl.zeros((TILE, COLUMNS), squares.dtype)
    centre = tl.program_id(1)
    first, last = tl.load(launch.bounds + centre), tl.load(launch.bounds + centre + 1)
    for start in range(first, last, SHELLS):
        _, _, _, weights, exponentials = _read_shells(launch, start, squares, SIZES)
        radial += tl.dot(exponentials, weights, input_precision="ieee", out_dtype=squares.dtype)
    tl.atomic_add(out + point, tl.sum(radial * harmonics, axis=1), mask=near)


def _backward(launch: Any, slopes: Any, SIZES: tl.constexpr) -> None:
    """Add what a tile of points and one centre contribute to the slopes of its shells."""
    SHELLS: tl.constexpr = SIZES[1]
    point, near, squares, harmonics = _read_pairs(launch, SIZES)
    grad, by_weight, by_exponent = slopes
    angular = tl.load(grad + point, mask=near, other=0.0)[:, None] * harmonics
    centre = tl.program_id(1)
    first, last = tl.load(launch.bounds + centre), tl.load(launch.bounds + centre + 1)
    for start in range(first, last, SHELLS):
        shell, known, places, weights, exponentials = _read_shells(launch, start, squares, SIZES)
        flat = tl.dot(
            tl.trans(exponentials), angular, input_precision="ieee", out_dtype=squares.dtype
        )
        tl.atomic_add(by_weight + places, flat, mask=known[:, None])
        steep = tl.dot(
            tl.trans(exponentials * squares[:, None]),
            angular,
            input_precision="ieee",
            out_dtype=squares.dtype,
        )
        tl.atomic_add(by_exponent + shell, -tl.sum(steep * weights, axis=1), mask=known)


forward_kernel: Any = triton.jit(_forward)
backward_kernel: Any = triton.jit(_backward)
