"""One training structure: geometry, target coefficients, metric and grid label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scdp_models.basis.shells import MIDPOINT
from scdp_models.data.periodic import crystal_projection
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

__all__ = ["GridLabel", "TrainingSample", "make_grid_sample", "make_sample", "with_spin"]


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
    charge
        Total charge, e.
    unpaired
        Electrons of spin up less those of spin down.
    spin
        Coefficients of the spin density (up less down) in the shells of the template, shape
        ``(n_functions,)``; None where it was not fitted, and zero for a closed shell.
    """

    key: str
    template: OrbitalDensity
    weights: NDArray[np.float64]
    metric: NDArray[np.float32] | None
    grid: GridLabel | None = None
    charge: float = 0.0
    unpaired: float = 0.0
    spin: NDArray[np.float64] | None = None


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
        If the fit is periodic in one or two directions only (see :func:`make_grid_sample`), or the
        target unknown.
    """
    if target not in ("delta", "total"):
        msg = f"unknown target {target!r} for label {key}; known: delta, total"
        raise DensityError(msg)
    atoms, cell, pbc = fitted.numbers != MIDPOINT, fitted.cell, fitted.pbc
    centres = _centres(fitted.numbers[atoms], fitted.positions[atoms], basis, cell=cell, pbc=pbc)
    template = OrbitalDensity.from_basis(
        basis, centres.numbers, centres.positions, cell=cell, pbc=pbc
    )
    density = fitted
    if target == "delta":
        density = fitted - reference.superposition(template.numbers, template.positions, cell, pbc)
    metric, right = _projection(template, density)
    coefficients = charge_constrained_fit(
        metric, right, template.charges, charge=density.n_electrons(), ridge=1e-9
    )
    return TrainingSample(
        key=key,
        template=OrbitalDensity.from_basis(
            basis,
            template.numbers,
            template.positions,
            coefficients=coefficients,
            cell=cell,
            pbc=pbc,
        ),
        weights=centres.weights,
        metric=metric.astype(np.float32),
        grid=grid,
        charge=_charge(fitted, reference),
    )


def _projection(
    template: OrbitalDensity, density: OrbitalDensity
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Coulomb metric of the functions and their products with a density."""
    if any(template.pbc):
        return crystal_projection(template, density)
    return coulomb_matrix(template), coulomb_matrix(template, density) @ density.coefficients


def _charge(fitted: OrbitalDensity, reference: AtomicReference) -> float:
    """Return the whole number of electrons that a density lacks of those of its neutral atoms."""
    numbers = fitted.numbers[fitted.numbers != MIDPOINT]
    if not set(numbers.tolist()) <= set(reference.atoms):
        return 0.0  # published models have no atoms, and are for neutral structures
    return float(np.rint(reference.n_electrons(numbers) - fitted.n_electrons()))


def with_spin(sample: TrainingSample, fitted: OrbitalDensity) -> TrainingSample:
    """Return a fitted sample with its spin density.

    Parameters
    ----------
    sample
        From :func:`make_sample`.
    fitted
        Fit of the spin density, up less down. If its shells are not those of the sample, it is
        projected in the Coulomb metric. Its integral, rounded, is the number of unpaired electrons.

    Raises
    ------
    DensityError
        If more electrons have spin down than up.
    """
    unpaired = float(np.rint(fitted.n_electrons()))
    if unpaired < 0:
        msg = (
            f"the spin density of label {sample.key} integrates to {fitted.n_electrons():.3f}; "
            "expected the majority to have spin up: change its sign"
        )
        raise DensityError(msg)
    template = sample.template
    metric = coulomb_matrix(template)
    right = coulomb_matrix(template, fitted) @ fitted.coefficients
    spin = charge_constrained_fit(metric, right, template.charges, charge=unpaired, ridge=1e-9)
    return replace(sample, unpaired=unpaired, spin=spin)


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
