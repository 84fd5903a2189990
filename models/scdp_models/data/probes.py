"""Densities at sampled voxels, and basis-function values there, for losses on the grid."""

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

    from scdp_models.data.samples import GridLabel, TrainingSample
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["Probes", "basis_values", "draw_probes", "grid_of", "has_function_table"]

# Above this many values a table costs more than it saves.
_LARGEST_TABLE = 2**22


class Probes(NamedTuple):
    """Sampled voxels of a label.

    Attributes
    ----------
    points
        Shape ``(n_probes, 3)``, Å.
    target
        Shape ``(n_probes,)``, e/Å^3: what the predicted part of the density should be there.
    mean_density
        Mean of the label's total density over the probes, e/Å^3; for relative errors.
    """

    points: NDArray[np.float64]
    target: NDArray[np.float32]
    mean_density: float


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


def has_function_table(density: OrbitalDensity, n_probes: int) -> bool:
    """Tell whether a table of function values is the quick way to the density at probes.

    It is for a molecule of moderate size: a few thousand probes are then one small matrix product.
    """
    return not any(density.pbc) and density.n_functions * n_probes <= _LARGEST_TABLE


def grid_of(sample: TrainingSample) -> GridLabel:
    """Return the grid of a sample.

    Raises
    ------
    TrainingError
        If it has none.
    """
    if sample.grid is None:
        msg = (
            f"label {sample.key} carries no grid, which this loss needs; "
            "build the dataset with keep_grid=True"
        )
        raise TrainingError(msg)
    return sample.grid


def draw_probes(
    sample: TrainingSample,
    n_probes: int,
    key: tuple[int, ...],
    *,
    reference: AtomicReference | None,
) -> Probes:
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
    grid, template = grid_of(sample), sample.template
    index = probe_indices(grid.values.size, n_probes, *key)
    points = grid.points(index)
    total = grid.values.reshape(-1)[index].astype(float)
    target = total
    if reference is not None:
        atoms = reference.superposition(
            template.numbers, template.positions, template.cell, template.pbc
        )
        target = total - evaluate_at_points(atoms, points)
    return Probes(points, target.astype(np.float32), float(np.abs(total).mean()))
