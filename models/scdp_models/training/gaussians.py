"""Gaussian densities as differentiable functions of coefficients and exponents.

Shells are laid out in padded tables, one row per centre, so that each degree is one batched matrix
product, whatever the number of shells. At points, shells of about the same reach share the list
of points they reach; points are taken in chunks, which are evaluated again in the backward pass
instead of being kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from scdp_models.data.images import image_shifts, periodic_lattice
from scdp_models.density.screening import tail_radii
from scdp_models.harmonics import solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["ShellLayout", "density_at_points", "density_at_waves", "shell_layout"]

# A function with coefficient one is left out where it is below this, e/Å^3.
_NEGLIGIBLE = 1e-6
# Pairs of a point and a centre, and values of a shell, handled at once.
_N_PAIRS = 2**17
_N_VALUES = 2**21


class _Degree(NamedTuple):
    """Shells of one degree: tables of shape ``(n_centres, n)``, padded where `mask` is zero.

    ``columns`` has the shape ``(n_centres, n, 2 l + 1)``: places of the coefficients.
    """

    l: int
    shells: torch.Tensor
    mask: torch.Tensor
    columns: torch.Tensor


class _Ring(NamedTuple):
    """Shells that end at about the same distance (bohr), and the centres that have any."""

    reach: float
    centres: torch.Tensor
    degrees: list[_Degree]


@dataclass(frozen=True)
class ShellLayout:
    """Where the shells of one structure are and how far they reach.

    Attributes
    ----------
    exponents
        Shape ``(n_shells,)``, bohr^-2: those of the basis.
    positions
        Shape ``(n_centres, 3)``, bohr, about `origin`.
    origin
        Shape ``(3,)``, Å: middle of the structure, so that float32 loses nothing far from zero.
    lattice, shifts
        Periodic lattice vectors and the translations to sum over, bohr, rows.
    rings
        Shells by reach.
    whole
        All shells as one ring.
    """

    exponents: torch.Tensor
    positions: torch.Tensor
    origin: NDArray[np.float64]
    lattice: torch.Tensor
    shifts: torch.Tensor
    rings: list[_Ring]
    whole: _Ring

    def to(self, target: torch.device | torch.dtype) -> ShellLayout:
        """Move to a device, or convert the floating-point tensors to a dtype."""
        return ShellLayout(
            _moved(self.exponents, target),
            _moved(self.positions, target),
            self.origin,
            _moved(self.lattice, target),
            _moved(self.shifts, target),
            [_moved_ring(ring, target) for ring in self.rings],
            _moved_ring(self.whole, target),
        )


def _moved(tensor: torch.Tensor, target: torch.device | torch.dtype) -> torch.Tensor:
    if isinstance(target, torch.dtype) and not tensor.is_floating_point():
        return tensor
    return tensor.to(target)


def _moved_ring(ring: _Ring, target: torch.device | torch.dtype) -> _Ring:
    degrees = [
        _Degree(d.l, *(_moved(table, target) for table in (d.shells, d.mask, d.columns)))
        for d in ring.degrees
    ]
    return _Ring(ring.reach, _moved(ring.centres, target), degrees)


def shell_layout(template: OrbitalDensity, *, smallest_factor: float = 1.0) -> ShellLayout:
    """Lay out the shells of a structure.

    Parameters
    ----------
    template
        Its coefficients are ignored.
    smallest_factor
        By how much exponents may shrink; shells then reach further.
    """
    widest = type(template)(
        template.numbers,
        template.positions,
        template.shell_centres,
        template.shell_ls,
        template.shell_exponents * smallest_factor,
        np.ones(template.n_functions),
    )
    reach = tail_radii(widest, _NEGLIGIBLE) / BOHR_TO_ANGSTROM
    bins = np.ceil(2 * np.log2(np.maximum(reach, 0.1)))
    origin = template.positions.mean(0)
    lattice = periodic_lattice(template.cell, template.pbc) / BOHR_TO_ANGSTROM
    shifts = image_shifts(lattice, float(reach.max()))
    rings = [_ring(template, np.flatnonzero(bins == value), reach) for value in np.unique(bins)]
    return ShellLayout(
        torch.as_tensor(template.shell_exponents),
        torch.as_tensor((template.positions - origin) / BOHR_TO_ANGSTROM),
        origin,
        torch.as_tensor(lattice),
        torch.as_tensor(shifts),
        rings,
        _ring(template, np.arange(len(reach)), reach),
    )


def _ring(template: OrbitalDensity, shells: NDArray[np.int64], reach: NDArray[np.float64]) -> _Ring:
    centres = np.unique(template.shell_centres[shells])
    degrees = []
    for l in np.unique(template.shell_ls[shells]).tolist():
        own = [
            shells[(template.shell_centres[shells] == c) & (template.shell_ls[shells] == l)]
            for c in centres
        ]
        width = max(len(row) for row in own)
        table = np.zeros((len(centres), width), dtype=np.int64)
        mask = np.zeros(table.shape)
        for place, row in enumerate(own):
            table[place, : len(row)], mask[place, : len(row)] = row, 1.0
        # Padding points at a shell of this degree, whose columns exist.
        table[mask == 0] = next(row[0] for row in own if len(row))
        columns = template.shell_offsets[table][..., None] + np.arange(2 * l + 1)
        degrees.append(
            _Degree(l, torch.as_tensor(table), torch.as_tensor(mask), torch.as_tensor(columns))
        )
    return _Ring(float(reach[shells].max()), torch.as_tensor(centres), degrees)


def _norms(l: int, exponents: torch.Tensor) -> torch.Tensor:
    """Return N_l(a) as :func:`scdp_models.basis.shells.radial_norm` does, differentiably."""
    power = l + 1.5
    return torch.exp(0.5 * (log(2.0) + power * torch.log(2 * exponents) - lgamma(power)))


class _Tables(NamedTuple):
    """Exponents ``(n_centres, n)`` and normalised coefficients ``(n_centres, n, 2 l + 1)``."""

    exponents: torch.Tensor
    weights: torch.Tensor


def _tables(degree: _Degree, coefficients: torch.Tensor, exponents: torch.Tensor) -> _Tables:
    own = exponents[degree.shells]
    weights = coefficients[degree.columns] * (_norms(degree.l, own) * degree.mask)[..., None]
    return _Tables(own, weights)


class _Pairs(NamedTuple):
    """Points each centre of a ring reaches: ``(n_centres, n, 3)`` vectors, ``(n_centres, n)``.

    Padding has the vector zero and the point one past the last.
    """

    vectors: torch.Tensor
    points: torch.Tensor


def _pairs(layout: ShellLayout, points: torch.Tensor) -> Iterator[_Pairs]:
    """Yield the pairs of each ring."""
    vectors = points[None] - layout.positions[:, None]
    if len(layout.lattice):
        # In this order fractions never round up to one.
        inverse = torch.linalg.pinv(layout.lattice.double()).to(vectors.dtype)
        vectors = vectors - torch.floor(vectors @ inverse) @ layout.lattice
    vectors = vectors[:, :, None] - layout.shifts
    squares = (vectors**2).sum(-1)
    for ring in layout.rings:
        inside = squares[ring.centres] < ring.reach**2
        row, point, image = inside.nonzero(as_tuple=True)
        counts = inside.sum((1, 2))
        width = int(counts.max()) if len(counts) else 0
        place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
        packed = vectors.new_zeros((len(counts), width, 3))
        packed[row, place] = vectors[ring.centres[row], point, image]
        index = torch.full((len(counts), width), len(points), device=row.device)
        index[row, place] = point
        yield _Pairs(packed, index)


def _points_chunk(
    layout: ShellLayout, points: torch.Tensor, coefficients: torch.Tensor, exponents: torch.Tensor
) -> torch.Tensor:
    out = points.new_zeros(len(points) + 1)
    for ring, pairs in zip(layout.rings, _pairs(layout, points), strict=True):
        squares = (pairs.vectors**2).sum(-1, keepdim=True)
        for degree in ring.degrees:
            tables = _tables(degree, coefficients, exponents)
            radial = torch.exp(-tables.exponents[:, None] * squares) @ tables.weights
            values = (radial * solid_harmonics(pairs.vectors, degree.l)).sum(-1)
            out = out.index_add(0, pairs.points.flatten(), values.flatten())
    return out[:-1]


def density_at_points(
    layout: ShellLayout, coefficients: torch.Tensor, exponents: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Return the density at points, periodic images included.

    Parameters
    ----------
    layout
        The shells.
    coefficients
        Shape ``(n_functions,)``.
    exponents
        Shape ``(n_shells,)``, bohr^-2.
    points
        Shape ``(n_points, 3)``, bohr, about the origin of the layout.

    Returns
    -------
    torch.Tensor
        Shape ``(n_points,)``, e/Å^3.
    """
    per_point = len(layout.positions) * len(layout.shifts)
    values = _in_chunks(_points_chunk, layout, points, (coefficients, exponents), per_point)
    return values / BOHR_TO_ANGSTROM**3


def _in_chunks(
    function: Callable[..., torch.Tensor],
    layout: ShellLayout,
    places: torch.Tensor,
    variables: tuple[torch.Tensor, torch.Tensor],
    per_place: int,
) -> torch.Tensor:
    """Apply a function to chunks of points or waves, to be repeated in the backward pass."""
    chunks = places.split(max(1, _N_PAIRS // per_place))
    if len(chunks) == 1:
        return function(layout, places, *variables)
    parts = [
        checkpoint(
            function, layout, chunk, *variables, use_reentrant=False, preserve_rng_state=False
        )
        for chunk in chunks
    ]
    return torch.cat(parts)


def _waves_chunk(
    layout: ShellLayout, waves: torch.Tensor, coefficients: torch.Tensor, exponents: torch.Tensor
) -> torch.Tensor:
    squares = (waves**2).sum(1)[None, :, None]
    phases = layout.positions @ waves.T
    # (-i)^l exp(-i G R): the powers of -i turn the real and imaginary parts into one another.
    cosine, sine = torch.cos(phases), -torch.sin(phases)
    turned = [(cosine, sine), (sine, -cosine), (-cosine, -sine), (-sine, cosine)]
    out = waves.new_zeros((len(waves), 2))
    for degree in layout.whole.degrees:
        tables = _tables(degree, coefficients, exponents)
        a = tables.exponents
        scale = (torch.pi / a) ** 1.5 / (2 * a) ** degree.l
        radial = torch.exp(-squares / (4 * a[:, None])) @ (tables.weights * scale[..., None])
        values = (radial * solid_harmonics(waves, degree.l)).sum(-1)
        real, imaginary = (part[layout.whole.centres] for part in turned[degree.l % 4])
        out = out + torch.stack([(values * real).sum(0), (values * imaginary).sum(0)], dim=1)
    return out


def density_at_waves(
    layout: ShellLayout, coefficients: torch.Tensor, exponents: torch.Tensor, waves: torch.Tensor
) -> torch.Tensor:
    """Return rho(G) = integral of rho(r) exp(-i G r) over all space, or over one cell.

    Parameters
    ----------
    layout, coefficients, exponents
        As in :func:`density_at_points`; the origin of the layout is that of r.
    waves
        Shape ``(n_waves, 3)``, bohr^-1.

    Returns
    -------
    torch.Tensor
        Shape ``(n_waves, 2)``: real and imaginary part, electrons. The formula is that of
        :func:`scdp_models.data.waves.fourier_coefficients`.
    """
    per_wave = max(1, len(layout.exponents) * _N_PAIRS // _N_VALUES)
    return _in_chunks(_waves_chunk, layout, waves, (coefficients, exponents), per_wave)
