"""Keep the orbitals of one calculation for the next one of the same path."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.dft.plane_waves.program import SCRATCH_PREFIX
from scdp_flows.dft.plane_waves.symmetry import space_group
from scdp_flows.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.plane_waves.structure import Crystal

__all__ = ["KeptOrbitals"]


class KeptOrbitals:
    """The orbitals of the last converged geometry, in a folder that is removed with this object.

    They can be large, so that they stay files.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._of: tuple[object, ...] | None = None

    @property
    def folder(self) -> Path:
        """Where the next calculation shall leave its orbitals."""
        if self._folder is None:
            stack = ExitStack()
            self._folder = stack.enter_context(scratch_folder(SCRATCH_PREFIX))
            weakref.finalize(self, stack.close)
        return self._folder

    def fitting(self, crystal: Crystal) -> Path | None:
        """Return the folder with the orbitals if they fit a geometry; None if they do not.

        They have the waves of one cell, as many bands as its electrons need, and the k-points that
        its rotations leave.

        Parameters
        ----------
        crystal
            What will be computed.
        """
        if self._of is None or self._folder is None or not any(self._folder.glob("wfc*")):
            return None
        return self._folder if self._of == _identity(crystal) else None

    def belong_to(self, crystal: Crystal) -> None:
        """Take note of whose orbitals have been left in the folder."""
        self._of = _identity(crystal)

    def forget(self) -> None:
        """Use them no more."""
        self._of = None


def _identity(crystal: Crystal) -> tuple[object, ...]:
    rotations = sorted(rotation.tobytes() for rotation, _ in space_group(crystal))
    numbers = np.asarray(crystal.numbers).tobytes()
    return numbers, crystal.charge, np.asarray(crystal.cell).tobytes(), tuple(rotations)
