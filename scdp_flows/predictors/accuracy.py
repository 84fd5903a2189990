"""Measure how far predictions are from a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.errors import DensityError
from scdp_flows.predictors.rendering import render_like
from scdp_flows.schemas.evaluation import ErrorRow
from scdp_flows.schemas.identity import hill_formula, symbols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_flows.predictors.base import Predicted
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["LabelComparison"]

# Points whose nearest atom is looked for at once.
_BLOCK = 2**18
# Below, in electrons, the spin density of a label is taken for none.
_LEAST_SPIN = 0.05


class LabelComparison:
    """Compare densities with one label.

    Parameters
    ----------
    density_id
        Identifier of the label.
    label
        The label on its grid.
    n_electrons
        Electrons that a density of this structure holds.
    fitted
        The label in Gaussian shells, where it was fitted; without it there are no Coulomb and
        dipole errors.
    fit_error_ha
        Coulomb self-energy of what the fit misses, Ha.

    Raises
    ------
    DensityError
        If the label is zero everywhere.
    """

    def __init__(
        self,
        density_id: str,
        label: ChargeDensity,
        *,
        n_electrons: float,
        fitted: OrbitalDensity | None = None,
        fit_error_ha: float = 0.0,
    ) -> None:
        self.density_id = density_id
        self.label = label
        self.n_electrons = n_electrons
        self.fitted = fitted
        self.fit_error_ha = fit_error_ha
        self._norm = float(np.abs(label.values).sum(dtype=np.float64))
        if self._norm == 0:
            raise DensityError(f"label {density_id} is zero everywhere; no relative error exists")
        self._elements = sorted(set(label.numbers.tolist()))
        self._nearest = np.concatenate(list(self._nearest_elements()))

    def errors(self, predicted: Predicted) -> ErrorRow:
        """Return the errors of a prediction."""
        density = predicted.density
        values = render_like(density, self.label).values
        difference = np.abs(values - self.label.values.astype(np.float64)).ravel()
        shares = np.bincount(self._nearest, weights=difference, minlength=len(self._elements))
        percent = 100 * shares / self._norm
        names = symbols(self._elements)
        return ErrorRow(
            density_id=self.density_id,
            formula=hill_formula(self.label.numbers),
            nmae_percent=float(percent.sum()),
            coulomb_error_ha=self._coulomb_error(density),
            electron_error_e=density.n_electrons() - self.n_electrons,
            dipole_error_e_ang=self._dipole_error(density),
            max_error_e_per_ang3=float(difference.max()),
            nmae_by_element=dict(zip(names, percent.tolist(), strict=True)),
            seconds=predicted.seconds,
            uncertainty_ha_per_atom=predicted.uncertainty_ha_per_atom,
            spin_nmae_percent=self._spin_error(predicted.spin_density),
        )

    def _spin_error(self, spin: OrbitalDensity | None) -> float | None:
        """Return the integral of |m - m*| over that of |m*|, %.

        Where the label holds hardly any spin, that ratio means nothing: the electron count takes
        the place of the divisor.
        """
        label = self.label
        if spin is None or label.magnetization is None:
            return None
        exact = label.magnetization.astype(np.float64)
        error = np.abs(render_like(spin, label).values - exact).sum() * label.voxel_volume
        norm = float(np.abs(exact).sum() * label.voxel_volume)
        return float(100 * error / (norm if norm > _LEAST_SPIN else self.n_electrons))

    def _coulomb_error(self, density: OrbitalDensity) -> float | None:
        """Return (d|d)/2 of the error d = prediction - label.

        With the label's fit f, d = (p - f) + (f - label). The fit minimises (f - label | f - label)
        at fixed charge, so the second part is orthogonal to all functions of the fit's basis, and
        the two energies add up for every prediction p in that basis with the right charge. For
        predictions in another basis, the neglected cross term makes this an estimate.
        """
        if self.fitted is None or any(self.label.pbc):
            return None
        from scdp_models.density.coulomb import coulomb_error

        return coulomb_error(density, self.fitted) + self.fit_error_ha

    def _dipole_error(self, density: OrbitalDensity) -> float | None:
        if self.fitted is None or any(self.label.pbc):
            return None
        return float(np.linalg.norm(density.dipole() - self.fitted.dipole()))

    def _nearest_elements(self) -> Iterator[NDArray[np.int64]]:
        """Yield for each voxel the number of the nearest atom's element, in blocks of planes."""
        from scipy.spatial import cKDTree

        label = self.label
        shifts = np.array(np.meshgrid(*[(-1, 0, 1) if p else (0,) for p in label.pbc]))
        images = shifts.reshape(3, -1).T @ label.cell
        atoms = (label.positions[None] + images[:, None]).reshape(-1, 3)
        own = np.searchsorted(self._elements, np.tile(label.numbers, len(images)))
        tree = cKDTree(atoms)
        n1, n2, n3 = label.shape
        plane = np.stack(np.meshgrid(np.arange(n2) / n2, np.arange(n3) / n3, indexing="ij"), -1)
        inside = plane.reshape(-1, 2) @ label.cell[1:] + label.origin
        step = max(1, _BLOCK // (n2 * n3))
        for start in range(0, n1, step):
            along = (np.arange(start, min(start + step, n1)) / n1)[:, None] * label.cell[0]
            points = (along[:, None] + inside[None]).reshape(-1, 3)
            yield own[tree.query(points)[1]]
