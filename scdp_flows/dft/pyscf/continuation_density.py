"""Carry the density of the last geometry, or what a prediction missed of it, to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.base import SpinDensities
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.continuation_base import Start
from scdp_flows.dft.pyscf.label import fit_of_run
from scdp_flows.dft.pyscf.seed import density_start

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.base import StartDensity
    from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["DeformationStart", "carried", "centre_names", "merged"]

_SAME_PLACE = 1e-3


class DeformationStart:
    """Start from a model density plus what the last converged density differed from that model.

    The model is superposed atoms for ``"previous_deformation"``, the prediction for
    ``"corrected_density"``. The converged density is fitted in a basis, at the cost of a fit.

    Parameters
    ----------
    settings
        How to compute.
    path
        Policy and grid.
    basis
        Shells of the fit.
    """

    def __init__(self, settings: PyscfSettings, path: PathSettings, basis: BasisSet) -> None:
        self._settings, self._path, self._basis = settings, path, basis
        self._past: SpinDensities | OrbitalDensity | None = None
        self._positions = np.empty((0, 3))

    def forget(self) -> None:
        """Drop the history."""
        self._past = None

    def start(self, geometry: Geometry) -> Start:
        """Say how to start at a geometry: the first one from the model alone."""
        model = self._model(geometry)
        if self._past is None:
            name = "prediction" if self._predicts else "default"
            known = model if self._predicts else None
        else:
            name, known = self._path.policy, self._plus_carried(model, geometry)
        if known is None:
            return Start("default", None)
        make = density_start(geometry.mol, known, grid_level=self._path.grid_level)

        def make_dm0(mf: Any) -> NDArray[np.float64]:
            # The first Fock matrix is good enough to be extrapolated from.
            mf.diis_start_cycle = 0
            return make(mf)

        return Start(name, make_dm0)

    def learn(self, geometry: Geometry, run: ScfRun) -> None:
        """Fit the converged density and keep what the model misses of it."""
        model = self._model(geometry)
        if model is None:
            self.forget()
            return
        fit = fit_of_run(run, geometry.structure, self._settings, self._basis)
        total, spin = model if isinstance(model, SpinDensities) else (model, None)
        missed = merged(fit.density + total.scaled(-1.0))
        self._positions = np.array(geometry.structure.cart_coords)
        if fit.spin is None:
            self._past = missed
            return
        change = fit.spin if spin is None else merged(fit.spin + spin.scaled(-1.0))
        self._past = SpinDensities(missed, change)

    @property
    def _predicts(self) -> bool:
        return self._path.policy == "corrected_density"

    def _model(self, geometry: Geometry) -> StartDensity | None:
        if self._predicts:
            return geometry.prediction
        one = geometry.structure
        atoms = atomic_reference(self._settings, one.atomic_numbers)
        return atoms.superposition(one.atomic_numbers, one.cart_coords)

    def _plus_carried(self, model: StartDensity | None, geometry: Geometry) -> StartDensity | None:
        if model is None or self._past is None:
            return None
        total, spin = model if isinstance(model, SpinDensities) else (model, None)
        past, positions = self._past, np.array(geometry.structure.cart_coords)
        if not isinstance(past, SpinDensities):
            return merged(total + carried(past, self._positions, positions))
        change = carried(past.spin, self._positions, positions)
        return SpinDensities(
            merged(total + carried(past.total, self._positions, positions)),
            change if spin is None else merged(spin + change),
        )


def centre_names(density: OrbitalDensity, positions: NDArray[np.float64]) -> list[tuple[int, ...]]:
    """Name each centre of a density by its atom, or by the two atoms it lies between.

    Parameters
    ----------
    density
        Its centres are atoms, or virtual ones at the middle of bonds.
    positions
        Of the atoms, shape ``(n, 3)``, Å.

    Returns
    -------
    list of tuple
        ``(i,)`` or ``(i, j)``; empty where a centre is neither.
    """
    first, second = np.triu_indices(len(positions))
    places = (positions[first] + positions[second]) / 2
    distances = np.linalg.norm(density.positions[:, None] - places, axis=2)
    # An atom may lie at the middle of two others: the number of the centre tells which it is.
    atomic = (density.numbers > 0)[:, None]
    distances[atomic != (first == second)] = np.inf
    nearest = distances.argmin(axis=1)
    found = distances[np.arange(len(nearest)), nearest] < _SAME_PLACE
    names = [(int(first[k]), int(second[k])) for k in nearest]
    return [
        () if not ok else name[:1] if name[0] == name[1] else name
        for ok, name in zip(found, names, strict=True)
    ]


def carried(
    density: OrbitalDensity, before: NDArray[np.float64], after: NDArray[np.float64]
) -> OrbitalDensity:
    """Move the shells of a density with their atoms and bonds.

    Shells on bonds whose middle is no centre of theirs stay with the atoms that were between; a
    centre that is neither atom nor bond is left out.

    Parameters
    ----------
    density
        What to move.
    before, after
        Positions of the atoms, shape ``(n, 3)``, Å.
    """
    names = centre_names(density, before)
    places = [after[list(name)].mean(axis=0) if name else density.positions[k]
              for k, name in enumerate(names)]  # fmt: skip
    lost = np.array([not name for name in names])
    keep = np.repeat(~lost[density.shell_centres], 2 * density.shell_ls + 1)
    coefficients = np.where(keep, density.coefficients, 0.0)
    return replace(density, positions=np.array(places), coefficients=coefficients)


def merged(density: OrbitalDensity) -> OrbitalDensity:
    """Add up the coefficients of equal shells, so that a sum has each shell once.

    Parameters
    ----------
    density
        The sum.
    """
    widths = 2 * density.shell_ls + 1
    first = np.cumsum(widths) - widths
    places = np.round(density.positions[density.shell_centres] / _SAME_PLACE).astype(np.int64)
    slots: dict[tuple[int | float, ...], int] = {}
    kept: list[int] = []
    sums: list[NDArray[np.float64]] = []
    for shell, (l, exponent) in enumerate(
        zip(density.shell_ls, density.shell_exponents, strict=True)
    ):
        key = (*places[shell].tolist(), int(l), float(exponent))
        part = density.coefficients[first[shell] : first[shell] + widths[shell]]
        if key in slots:
            sums[slots[key]] = sums[slots[key]] + part
        else:
            slots[key] = len(kept)
            kept.append(shell)
            sums.append(part)
    return replace(
        density,
        shell_centres=density.shell_centres[kept],
        shell_ls=density.shell_ls[kept],
        shell_exponents=density.shell_exponents[kept],
        coefficients=np.concatenate(sums),
    )
