"""Decide what each self-consistent calculation along a path of geometries starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.dft.pyscf.continuation_density import DeformationStart
from scdp_flows.dft.pyscf.continuation_fock import FockStart
from scdp_flows.dft.pyscf.continuation_plain import OwnGuessStart, PreviousMatrixStart
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from scdp_flows.dft.pyscf.continuation_base import Geometry, PathSettings, Start, Strategy
    from scdp_flows.dft.pyscf.inputs import PyscfSettings
    from scdp_flows.dft.pyscf.scf import ScfRun
    from scdp_models.basis.shells import BasisSet

__all__ = ["Continuation"]

_LARGEST_MOVE = 0.5
"""Distance in Å that an atom may move before what was learnt is forgotten."""


class Continuation:
    """Choose starts along a path and learn from each converged calculation.

    The history is dropped when the atoms, the charge or the spin change, or an atom moves far.

    Parameters
    ----------
    settings
        How to compute.
    path
        How to continue.
    basis
        Shells of the fits of ``"previous_deformation"`` and ``"corrected_density"``.

    Raises
    ------
    SettingsError
        If the policy is not known or needs a basis that is not given.
    """

    def __init__(
        self, settings: PyscfSettings, path: PathSettings, basis: BasisSet | None = None
    ) -> None:
        self._strategy = _strategy(settings, path, basis)
        self._last: tuple[Any, ...] | None = None
        self.move: float | None = None
        """Largest distance in Å that an atom moved since the geometry before."""

    def start(self, geometry: Geometry) -> Start:
        """Say how to start at a geometry."""
        self.move = self._moved(geometry)
        if self.move is None or self.move > _LARGEST_MOVE:
            self._strategy.forget()
        return self._strategy.start(geometry)

    def learn(self, geometry: Geometry, run: ScfRun) -> None:
        """Take note of the converged calculation of a geometry."""
        self._strategy.learn(geometry, run)
        self._last = _identity(geometry)

    def forget(self) -> None:
        """Drop the history."""
        self._strategy.forget()
        self._last = None

    def _moved(self, geometry: Geometry) -> float | None:
        now = _identity(geometry)
        if self._last is None or self._last[:-1] != now[:-1]:
            return None
        return float(np.linalg.norm(now[-1] - self._last[-1], axis=1).max())


def _identity(geometry: Geometry) -> tuple[Any, ...]:
    one = geometry.structure
    return one.atomic_numbers, one.charge, one.spin_multiplicity, np.array(one.cart_coords)


def _strategy(settings: PyscfSettings, path: PathSettings, basis: BasisSet | None) -> Strategy:
    if path.policy == "default":
        return OwnGuessStart()
    if path.policy == "previous_dm":
        return PreviousMatrixStart()
    if path.policy in {"prediction", "corrected", "auto"}:
        return FockStart(path)
    if basis is None:
        raise SettingsError(
            f"start policy {path.policy!r} fits densities and no basis is given; name one, such as "
            "lean"
        )
    return DeformationStart(settings, path, basis)
