"""Fourier coefficients of grid labels at sampled wave vectors, for the Coulomb error of a grid.

The label is taken for periodic in its box, rho(G) = integral over the box of rho(r) exp(-i G r),
and the Coulomb error of a difference is E = 1/(2 V) sum over G != 0 of 4 pi |drho(G)|^2 / G^2
(atomic units, V the volume of the box).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.data.probes import grid_of
from scdp_models.data.sampling import keyed_generator
from scdp_models.harmonics import solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.data.samples import GridLabel, TrainingSample
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Waves", "draw_waves", "fourier_coefficients"]


# Nothing of a valence density is seen beyond, and half the space holds 1e5 waves of a box of 12 Å.
_LONGEST_WAVE = 8.0


class Waves(NamedTuple):
    """Sampled wave vectors of a label.

    Attributes
    ----------
    vectors
        Shape ``(n_waves, 3)``, bohr^-1.
    target
        Shape ``(n_waves,)``, electrons: rho(G) of what should be predicted, complex.
    weights
        Shape ``(n_waves,)``, Ha: the Coulomb error is the sum of weight times |drho(G)|^2.
    """

    vectors: NDArray[np.float64]
    target: NDArray[np.complex128]
    weights: NDArray[np.float64]


def _half_space(grid: GridLabel) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """List one of each pair G, -G inside the largest sphere that the grid resolves.

    Returns integer multiples of the reciprocal lattice vectors, and their sums in bohr^-1; both
    have the shape ``(n, 3)``.
    """
    lattice = grid.cell / BOHR_TO_ANGSTROM
    planes = 2 * np.pi / np.linalg.norm(lattice, axis=1)
    # Strictly below half the number of points, where plus and minus are told apart.
    resolved = [(n - 1) // 2 for n in grid.values.shape]
    radius = min(_LONGEST_WAVE, *((np.array(resolved) + 0.5) * planes))
    highest = np.minimum(resolved, (radius / planes).astype(int))
    axes = [np.arange(-m, m + 1) for m in highest[:2]] + [np.arange(highest[2] + 1)]
    miller = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    i, j, k = miller.T
    miller = miller[(k > 0) | ((k == 0) & ((j > 0) | ((j == 0) & (i > 0))))]
    vectors = 2 * np.pi * miller @ np.linalg.inv(lattice).T
    inside = (vectors**2).sum(1) < radius**2
    return miller[inside], vectors[inside]


def fourier_coefficients(
    density: OrbitalDensity, vectors: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Return rho(G) of one period of a Gaussian density in closed form, in electrons.

    Parameters
    ----------
    density
        A molecule, or one cell of a crystal.
    vectors
        Shape ``(n, 3)``, bohr^-1.

    Notes
    -----
    The transform of S_lm(r) exp(-a r^2) is (pi/a)^(3/2) (-i/(2a))^l S_lm(G) exp(-G^2/(4a)), by
    Hobson's theorem with the operator S_lm(i d/dG); see, for example, Weniger, J. Math. Phys. 26,
    276 (1985).
    """
    out = np.zeros(len(vectors), dtype=complex)
    squares = (vectors**2).sum(1)
    for l in np.unique(density.shell_ls).tolist():
        shells = np.flatnonzero(density.shell_ls == l)
        a = density.shell_exponents[shells]
        radial = radial_norm(l, a) * (np.pi / a) ** 1.5 / (2 * a) ** l
        radial = radial * np.exp(-squares[:, None] / (4 * a))
        phases = np.exp(-1j * vectors @ density.shell_positions_bohr[shells].T)
        columns = density.shell_offsets[shells][:, None] + np.arange(2 * l + 1)
        angular = solid_harmonics(vectors, l) @ density.coefficients[columns].T
        out += (-1j) ** l * (radial * phases * angular).sum(1)
    return out


def draw_waves(
    sample: TrainingSample,
    n_waves: int,
    key: tuple[int, ...],
    *,
    reference: AtomicReference | None,
) -> Waves:
    """Sample wave vectors of a label with probabilities proportional to 1/G^2.

    These are the weights of the Coulomb energy, so that the estimate of the sum is its mean. When
    the grid resolves no more than are asked for, all are taken, and the sum is exact.

    Parameters
    ----------
    sample
        Must carry a grid label.
    n_waves
        How many wave vectors.
    key
        Determines the draw; see :func:`scdp_models.data.sampling.keyed_generator`.
    reference
        Atomic densities to subtract (delta target); None for the total density.

    Raises
    ------
    TrainingError
        If the sample has no grid.
    """
    grid, template = grid_of(sample), sample.template
    miller, vectors = _half_space(grid)
    volume = abs(np.linalg.det(grid.cell))
    # Both halves of the space: twice 4 pi / (2 V).
    kernel = 4 * np.pi * BOHR_TO_ANGSTROM**3 / volume / (vectors**2).sum(1)
    weights = kernel
    if len(miller) > n_waves:
        drawn = keyed_generator(*key).choice(len(miller), n_waves, p=kernel / kernel.sum())
        miller, vectors = miller[drawn], vectors[drawn]
        weights = np.full(n_waves, kernel.sum() / n_waves)
    transform = np.fft.rfftn(grid.values)[tuple(miller.T)]
    target = volume / grid.values.size * transform.astype(complex)
    target = target * np.exp(-1j * vectors @ (grid.origin / BOHR_TO_ANGSTROM))
    if reference is not None:
        atoms = reference.superposition(
            template.numbers, template.positions, template.cell, template.pbc
        )
        target = target - fourier_coefficients(atoms, vectors)
    return Waves(vectors, target, weights)
