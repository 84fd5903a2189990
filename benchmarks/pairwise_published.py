"""The published way to a density at points, to be compared with: pair by pair, plainly in torch.

As the published code does it: points go in chunks, all pairs of a point and a centre (and its
periodic images) are listed, those closer than 5 Å are kept, every pair gets one exponential per
shell and one value per function, and the sum over functions is scattered to the points. Single
precision. Where there was a choice the quicker was taken: powers of the distance come with the
harmonics, norms are computed once per centre. ``tests/benchmarks/test_pairwise_published.py`` holds
it against outputs of the published code itself.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from e3nn.o3 import spherical_harmonics

from scdp_models.basis.shells import radial_norm
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["CUTOFF", "PublishedNodes", "nodes_of", "published_density"]

CUTOFF = 5.0
"""Å: pairs further apart do not count."""

# The value of the bohr radius in the published code, Å.
_BOHR = 0.529177


class _Species(NamedTuple):
    """Centres with the same list of degrees.

    Attributes
    ----------
    centres
        Shape ``(n,)``, indices into the positions.
    ls
        Shape ``(n_shells,)``.
    exponents, norms
        Shape ``(n, n_shells)``, bohr^-2 and the factors that normalise shells.
    coefficients
        Shape ``(n, n_functions)``.
    """

    centres: torch.Tensor
    ls: torch.Tensor
    exponents: torch.Tensor
    norms: torch.Tensor
    coefficients: torch.Tensor


class PublishedNodes(NamedTuple):
    """What the published evaluation is given, sorted by species.

    Attributes
    ----------
    positions
        Shape ``(n_centres, 3)``, Å.
    species
        One entry per list of degrees.
    shifts
        Shape ``(n_images, 3)``, Å: translations of every centre.
    """

    positions: torch.Tensor
    species: list[_Species]
    shifts: torch.Tensor


def nodes_of(
    density: OrbitalDensity, *, dtype: torch.dtype = torch.float32, requires_grad: bool = False
) -> PublishedNodes:
    """Sort a density for :func:`published_density`.

    Parameters
    ----------
    density
        Periodic along all lattice vectors or none. Unlike ours, published harmonics of one degree
        have squares that sum to one, and lengths are counted in bohr, volumes in Å^3.
    dtype
        Precision.
    requires_grad
        Whether the coefficients ask for gradients.
    """
    offsets = density.shell_offsets
    own = [np.flatnonzero(density.shell_centres == n) for n in range(len(density.numbers))]
    keys = [tuple(density.shell_ls[shells].tolist()) for shells in own]
    species = []
    for key in dict.fromkeys(keys):
        centres = [n for n, other in enumerate(keys) if other == key]
        ls = np.array(key, dtype=np.int64)
        factors = np.repeat(np.sqrt((2 * ls + 1) / (4 * np.pi)), 2 * ls + 1) / BOHR_TO_ANGSTROM**3
        columns = [offsets[own[n][0]] + np.arange(len(factors)) for n in centres]
        exponents = density.shell_exponents[np.stack([own[n] for n in centres])]
        species.append(
            _Species(
                centres=torch.tensor(centres),
                ls=torch.as_tensor(ls),
                exponents=torch.as_tensor(exponents).to(dtype),
                norms=torch.as_tensor(radial_norm(ls, exponents)).to(dtype),
                coefficients=torch.as_tensor(density.coefficients[np.stack(columns)] * factors)
                .to(dtype)
                .requires_grad_(requires_grad),
            )
        )
    shifts = np.zeros((1, 3)) if density.cell is None else _shifts(density)
    return PublishedNodes(
        torch.as_tensor(density.positions).to(dtype), species, torch.as_tensor(shifts).to(dtype)
    )


def _shifts(density: OrbitalDensity) -> NDArray[np.float64]:
    """List the images the published code looks at: ceil(cut-off / height) along each vector."""
    cell = np.asarray(density.cell)
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    counts = np.ceil(CUTOFF / heights).astype(int) * np.array(density.pbc)
    triples = np.array(list(product(*(range(-n, n + 1) for n in counts.tolist()))), dtype=float)
    return np.asarray(triples @ cell)


def published_density(
    nodes: PublishedNodes, points: torch.Tensor, *, chunk: int = 20_000
) -> torch.Tensor:
    """Evaluate the density at points, e/Å^3.

    Parameters
    ----------
    nodes
        From :func:`nodes_of`.
    points
        Shape ``(n_points, 3)``, Å, of the precision of the nodes.
    chunk
        Points at once.

    Returns
    -------
    torch.Tensor
        Shape ``(n_points,)``.
    """
    return torch.cat([_chunk_density(nodes, part) for part in points.split(chunk)])


def _chunk_density(nodes: PublishedNodes, points: torch.Tensor) -> torch.Tensor:
    n_points, n_centres, n_images = len(points), len(nodes.positions), len(nodes.shifts)
    probe = torch.arange(n_points).repeat_interleave(n_centres * n_images)
    centre = torch.arange(n_centres).repeat_interleave(n_images).repeat(n_points)
    image = torch.arange(n_images).repeat(n_points * n_centres)
    vectors = points[probe] - nodes.positions[centre] - nodes.shifts[image]
    near = torch.nonzero(vectors.norm(dim=1) < CUTOFF)[:, 0]
    probe, centre, vectors = probe[near], centre[near], vectors[near] / _BOHR
    distances = vectors.norm(dim=1) + 1e-8
    total = torch.zeros(n_points, dtype=points.dtype)
    for species in nodes.species:
        place = torch.full((n_centres,), -1)
        place[species.centres] = torch.arange(len(species.centres))
        pairs = torch.nonzero(place[centre] >= 0)[:, 0]
        values = _pair_density(species, place[centre[pairs]], vectors[pairs], distances[pairs])
        total = total.index_add(0, probe[pairs], values)
    return total


def _pair_density(
    species: _Species, place: torch.Tensor, vectors: torch.Tensor, distances: torch.Tensor
) -> torch.Tensor:
    """Sum the functions of one centre for every pair."""
    ls = species.ls
    sizes = 2 * ls + 1
    shell_of_function = torch.arange(len(ls)).repeat_interleave(sizes)
    first = torch.cumsum(sizes, 0) - sizes
    harmonic_of_function = torch.arange(int(sizes.sum())) - (first - ls**2).repeat_interleave(sizes)
    degrees = list(range(int(ls.max()) + 1))
    # Polar axis z, as the published code has it: the harmonics see (y, z, x).
    angular = spherical_harmonics(
        degrees, vectors[:, [1, 2, 0]], normalize=False, normalization="norm"
    )
    radial = species.norms[place] * torch.exp(-species.exponents[place] * distances[:, None] ** 2)
    functions = radial[:, shell_of_function] * angular[:, harmonic_of_function]
    return torch.einsum("pf,pf->p", functions, species.coefficients[place])
