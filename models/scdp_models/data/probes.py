"""Basis-function values at sampled voxels, for losses on the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import radial_norm
from scdp_models.data.sampling import probe_indices
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.errors import TrainingError
from scdp_models.harmonics import solid_harmonics
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.data.samples import TrainingSample
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["ProbeBatch", "basis_values", "draw_probes"]


class ProbeBatch(NamedTuple):
    """Function values ``(n_probes, n_functions)`` and target ``(n_probes,)``, both in e/Å^3."""

    values: NDArray[np.float32]
    target: NDArray[np.float32]


def basis_values(density: OrbitalDensity, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate every basis function of a molecule's density at points.

    Parameters
    ----------
    density
        Coefficients are ignored.
    points
        Shape ``(n_points, 3)``, Å.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_points, n_functions)``, in e/Å^3 for a coefficient of one.
    """
    out = np.empty((len(points), density.n_functions))
    for l in np.unique(density.shell_ls).tolist():
        shells = np.flatnonzero(density.shell_ls == l)
        centres, place = np.unique(density.shell_centres[shells], return_inverse=True)
        vectors = (points[:, None] - density.positions[centres][None]) / BOHR_TO_ANGSTROM
        exponents = density.shell_exponents[shells]
        squared = (vectors**2).sum(-1)[:, place]
        radial = radial_norm(l, exponents) * np.exp(-exponents * squared)
        angular = solid_harmonics(vectors, l)[:, place]
        columns = density.shell_offsets[shells][:, None] + np.arange(2 * l + 1)
        out[:, columns.ravel()] = (radial[..., None] * angular).reshape(len(points), -1)
    return out / BOHR_TO_ANGSTROM**3


def draw_probes(
    sample: TrainingSample,
    n_probes: int,
    key: tuple[int, ...],
    *,
    reference: AtomicReference | None,
) -> ProbeBatch:
    """Sample voxels of a label uniformly.

    Parameters
    ----------
    sample
        Must carry a grid label.
    n_probes
        How many voxels.
    key
        Determines the draw; see :func:`scdp_models.data.sampling.keyed_generator`.
    reference
        Atomic densities to subtract (delta target); None for the total density.

    Raises
    ------
    TrainingError
        If the sample has no grid.
    """
    if sample.grid is None:
        msg = (
            f"label {sample.key} carries no grid, which the loss 'grid_mae' needs; "
            "build the dataset with keep_grid=True"
        )
        raise TrainingError(msg)
    index = probe_indices(sample.grid.values.size, n_probes, *key)
    points = sample.grid.points(index)
    target = sample.grid.values.reshape(-1)[index].astype(float)
    if reference is not None:
        atoms = reference.superposition(sample.template.numbers, sample.template.positions)
        target = target - evaluate_at_points(atoms, points)
    values = basis_values(sample.template, points)
    return ProbeBatch(values.astype(np.float32), target.astype(np.float32))
