"""Relax molecules by PySCF, its calculations started from corrected predictions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jobflow import Flow, Job, Maker
from pymatgen.core import Molecule

from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.jobs.relax import RelaxMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.predictors.base import Predictor

__all__ = ["SeededRelaxMaker"]


def _pyscf_relaxation() -> RelaxMaker:
    return RelaxMaker(code=PyscfRelaxation())


@dataclass
class SeededRelaxMaker(Maker):
    """Make the flow that relaxes molecules, one job for each."""

    name: str = "seeded relax"
    """Name of the flow."""
    relax_maker: RelaxMaker = field(default_factory=_pyscf_relaxation)
    """How molecules are relaxed; by PySCF by default."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves that of the Maker."""

    def make(
        self,
        molecules: Molecule | Sequence[Molecule],
        *,
        predictor: Predictor | None = None,
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        molecules
            What to relax.
        predictor
            Whose densities to start from; default: the shipped model.

        Returns
        -------
        Flow
            Its output is the list of atomate2's documents.
        """
        chosen = ScdpPredictor() if predictor is None else predictor
        several = [molecules] if isinstance(molecules, Molecule) else list(molecules)
        maker = self.relax_maker
        if self.store_path is not None:
            maker = replace(maker, store_path=self.store_path)
        jobs: list[Flow | Job] = [maker.make(one, predictor=chosen) for one in several]
        return Flow(jobs, output=[one.output for one in jobs], name=self.name)
