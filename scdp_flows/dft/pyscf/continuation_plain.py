"""Start each calculation of a path as PySCF itself would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.pyscf.continuation_base import Start

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scdp_flows.dft.pyscf.continuation_base import Geometry
    from scdp_flows.dft.pyscf.scf import ScfRun

__all__ = ["OwnGuessStart", "PreviousMatrixStart"]


class OwnGuessStart:
    """Start from PySCF's own guess for molecules."""

    def start(self, geometry: Geometry) -> Start:  # noqa: ARG002
        """Say how to start at a geometry."""
        return Start("default", None)

    def learn(self, geometry: Geometry, run: ScfRun) -> None:
        """Learn nothing."""

    def forget(self) -> None:
        """Forget nothing."""


class PreviousMatrixStart:
    """Start from the density matrix of the geometry before, as PySCF's own scanner does."""

    def __init__(self) -> None:
        self._dm: NDArray[np.float64] | None = None

    def start(self, geometry: Geometry) -> Start:  # noqa: ARG002
        """Say how to start at a geometry: the first one from PySCF's own guess."""
        dm = self._dm
        return Start("default", None) if dm is None else Start("previous_dm", lambda _: dm)

    def learn(self, geometry: Geometry, run: ScfRun) -> None:  # noqa: ARG002
        """Keep the converged density matrix."""
        self._dm = np.asarray(run.mf.make_rdm1())

    def forget(self) -> None:
        """Drop the density matrix."""
        self._dm = None
