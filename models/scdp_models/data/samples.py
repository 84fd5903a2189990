"""One training structure: geometry, target coefficients, metric and grid label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import MIDPOINT
from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import DensityError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.atomic import AtomicReference

__all__ = ["GridLabel", "TrainingSample", "make_sample"]


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
        Geometry and shells; its coefficients are the target.
    weights
        Shape ``(n_centres,)``: switch of virtual centres, 1 for atoms.
    metric
        Coulomb metric among the functions, float32 ``(n_functions, n_functions)``, Ha.
    grid
        Grid label of the total density, where kept.
    """

    key: str
    template: OrbitalDensity
    weights: NDArray[np.float64]
    metric: NDArray[np.float32]
    grid: GridLabel | None = None


def make_sample(  # noqa: PLR0913 - the parts of a sample
    key: str,
    fitted: OrbitalDensity,
    basis: BasisSet,
    reference: AtomicReference,
    *,
    target: str = "delta",
    weights: NDArray[np.float64] | None = None,
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
        Shells the network predicts.
    reference
        Atomic densities subtracted for ``target="delta"``.
    target
        ``"delta"`` or ``"total"``.
    weights
        Switch of virtual centres.
    grid
        Grid label to carry along.

    Raises
    ------
    DensityError
        If the fit is periodic (its Coulomb metric has no closed form here).
    """
    if any(fitted.pbc):
        msg = f"label {key} is periodic; closed-form Coulomb targets are for molecules"
        raise DensityError(msg)
    kept = np.ones(len(fitted.numbers), bool) if basis.has_midpoints else fitted.numbers != MIDPOINT
    template = OrbitalDensity.from_basis(basis, fitted.numbers[kept], fitted.positions[kept])
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
        weights=np.ones(len(template.numbers)) if weights is None else weights,
        metric=metric.astype(np.float32),
        grid=grid,
    )
