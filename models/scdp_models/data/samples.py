"""One training structure: geometry, target coefficients, metric and grid label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import MIDPOINT
from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import DensityError
from scdp_models.graph import checked_structure
from scdp_models.virtual_nodes import bond_midpoints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["GridLabel", "TrainingSample", "make_grid_sample", "make_sample"]


@dataclass(frozen=True)
class GridLabel:
    """Density on a uniform grid: values e/Å^3, origin ``(3,)`` and cell ``(3, 3)`` in Å."""

    values: NDArray[np.float32]
    origin: NDArray[np.float64]
    cell: NDArray[np.float64]

    def points(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the coordinates (Å) of voxels given by flat index, shape ``(n, 3)``."""
        voxel = np.stack(np.unravel_index(index, self.values.shape), axis=-1)
        return np.asarray(self.origin + (voxel / np.array(self.values.shape)) @ self.cell)


@dataclass(frozen=True)
class TrainingSample:
    """What one structure contributes to training.

    Attributes
    ----------
    key
        Identifier of the label.
    template
        Geometry and shells; its coefficients are the target of a fitted label, else zero.
    weights
        Shape ``(n_centres,)``: switch of virtual centres, 1 for atoms.
    metric
        Coulomb metric among the functions, float32 ``(n_functions, n_functions)``, Ha; None for
        a label that was not fitted, which only losses on the grid can use.
    grid
        Grid label of the total density, where kept.
    """

    key: str
    template: OrbitalDensity
    weights: NDArray[np.float64]
    metric: NDArray[np.float32] | None
    grid: GridLabel | None = None


class _Centres(NamedTuple):
    """Species, positions (Å) and switches of the centres a network sees."""

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    weights: NDArray[np.float64]


def _centres(
    numbers: NDArray[np.int64],
    positions: NDArray[np.float64],
    basis: BasisSet,
    *,
    cell: ArrayLike | None = None,
    pbc: Sequence[bool] = (False, False, False),
) -> _Centres:
    """Add the bond midpoints that a prediction would add."""
    if not basis.has_midpoints:
        return _Centres(numbers, positions, np.ones(len(numbers)))
    middles = bond_midpoints(numbers, positions, cell=cell, pbc=pbc)
    return _Centres(
        np.concatenate([numbers, np.full(len(middles.weights), MIDPOINT)]),
        np.concatenate([positions, middles.positions]),
        np.concatenate([np.ones(len(numbers)), middles.weights]),
    )


def make_sample(
    key: str,
    fitted: OrbitalDensity,
    basis: BasisSet,
    reference: AtomicReference,
    *,
    target: str = "delta",
    grid: GridLabel | None = None,
) -> TrainingSample:
    """Turn a fitted label into a sample in the wanted basis and target.

    Parameters
    ----------
    key
        Identifier of the label.
    fitted
        Fit of the total density. Its own shells may differ from `basis`: it is then projected
        in the Coulomb metric, at the cost of one linear solve.
    basis
        Shells the network predicts. If it has a set for bond midpoints, these are placed by the
        rule that predictions follow, wherever the fit had its own.
    reference
        Atomic densities subtracted for ``target="delta"``.
    target
        ``"delta"`` or ``"total"``.
    grid
        Grid label to carry along.

    Raises
    ------
    DensityError
        If the fit is periodic (its Coulomb metric has no closed form here; see
        :func:`make_grid_sample`), or the target unknown.
    """
    if target not in ("delta", "total"):
        msg = f"unknown target {target!r} for label {key}; known: delta, total"
        raise DensityError(msg)
    if any(fitted.pbc):
        msg = (
            f"label {key} is periodic; closed-form Coulomb targets are for molecules, "
            "train on its grid instead"
        )
        raise DensityError(msg)
    atoms = fitted.numbers != MIDPOINT
    centres = _centres(fitted.numbers[atoms], fitted.positions[atoms], basis)
    template = OrbitalDensity.from_basis(basis, centres.numbers, centres.positions)
    metric = coulomb_matrix(template)
    density = fitted
    if target == "delta":
        density = fitted - reference.superposition(template.numbers, template.positions)
    right = coulomb_matrix(template, density) @ density.coefficients
    coefficients = charge_constrained_fit(
        metric, right, template.charges, charge=density.n_electrons(), ridge=1e-9
    )
    return TrainingSample(
        key=key,
        template=OrbitalDensity.from_basis(
            basis, template.numbers, template.positions, coefficients=coefficients
        ),
        weights=centres.weights,
        metric=metric.astype(np.float32),
        grid=grid,
    )


def make_grid_sample(
    key: str,
    atoms: tuple[ArrayLike, ArrayLike],
    basis: BasisSet,
    grid: GridLabel,
    *,
    pbc: Sequence[bool] = (False, False, False),
) -> TrainingSample:
    """Turn a label that is only a grid into a sample, for losses that need no fit.

    Parameters
    ----------
    key
        Identifier of the label.
    atoms
        Atomic numbers ``(n,)`` and positions ``(n, 3)`` in Å, without midpoints.
    basis
        Shells the network predicts; midpoints are added by the rule that predictions follow.
    grid
        The total density.
    pbc
        Periodicity of the structure; its cell is that of the grid.

    Raises
    ------
    GraphError
        If numbers and positions do not belong together.
    """
    numbers, positions = checked_structure(*atoms)
    cell = grid.cell if any(pbc) else None
    centres = _centres(numbers, positions, basis, cell=cell, pbc=pbc)
    return TrainingSample(
        key=key,
        template=OrbitalDensity.from_basis(
            basis, centres.numbers, centres.positions, cell=cell, pbc=pbc
        ),
        weights=centres.weights,
        metric=None,
        grid=grid,
    )
