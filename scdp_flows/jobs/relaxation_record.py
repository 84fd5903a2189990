"""Keep what a relaxation has done in the stores, geometry by geometry, and go on from there."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.schemas.relaxation import RelaxationDoc, RelaxationStep
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scdp_flows.io.structures import AtomicStructure

__all__ = ["RelaxationRecord"]


class RelaxationRecord:
    """The record of one relaxation.

    Parameters
    ----------
    fields
        What is known beforehand of the :class:`RelaxationDoc`, its identifier included.
    store_path
        Folder of the embedded stores; None: those that the settings name.
    """

    def __init__(self, fields: Mapping[str, Any], store_path: str | None) -> None:
        self._fields, self._store_path = dict(fields), store_path
        self._earlier: list[RelaxationStep] = []
        self._positions: NDArray[np.float64] | None = None

    def resumed(self, structure: AtomicStructure) -> tuple[AtomicStructure, int]:
        """Return where to begin, and how many optimisation steps were made before.

        That is the last geometry of a relaxation that broke off, or of one of the same job, which
        is run again then; otherwise the structure itself.

        Parameters
        ----------
        structure
            What to relax.
        """
        with open_stores(self._store_path) as stores:
            known = stores.reports.relaxations.find(
                {"relaxation_id": self._fields["relaxation_id"]}
            )
        if known is None or known.last_positions is None:
            return structure, 0
        uuid = self._fields["job_uuid"]
        if known.complete and (uuid is None or known.job_uuid != uuid):
            return structure, 0
        self._earlier = list(known.steps)
        self._positions = np.array(known.last_positions)
        moved = copy.deepcopy(structure)  # the copy of a Molecule is neutral
        for site, place in zip(moved, self._positions, strict=True):
            site.coords = place
        return moved, len(self._earlier) - 1

    def keep(self, steps: list[RelaxationStep], positions: NDArray[np.float64]) -> None:
        """Store the geometries so far.

        Parameters
        ----------
        steps
            Of this run.
        positions
            At the last of them, Å.
        """
        self._positions = positions
        self._put(steps, converged=False, complete=False)

    def fail(self, steps: list[RelaxationStep], reason: str) -> None:
        """Store that and why it broke off; nothing if no geometry has converged ever.

        Parameters
        ----------
        steps
            Of this run.
        reason
            What went wrong.
        """
        self._put(steps, converged=False, complete=False, failure=reason)

    def finish(
        self,
        steps: list[RelaxationStep],
        positions: NDArray[np.float64] | None,
        *,
        converged: bool,
    ) -> None:
        """Store that it ended.

        Parameters
        ----------
        steps
            Of this run.
        positions
            At the end, Å.
        converged
            Whether the forces met the threshold.
        """
        self._positions = positions
        self._put(steps, converged=converged, complete=True)

    def _put(self, steps: list[RelaxationStep], **state: Any) -> None:
        together = [*self._earlier, *steps]
        if not together:
            return
        places = None if self._positions is None else np.asarray(self._positions).tolist()
        doc = RelaxationDoc(**self._fields, steps=together, last_positions=places, **state)
        with open_stores(self._store_path) as stores:
            stores.reports.relaxations.put(doc)
