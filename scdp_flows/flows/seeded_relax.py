"""Relax structures, each calculation started from a corrected prediction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jobflow import Flow, Job, Maker
from pymatgen.core import Molecule, Structure

from scdp_flows.dft.pyscf.calculator import PyscfRelaxation
from scdp_flows.jobs.relax import RelaxMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["SeededRelaxMaker"]


def _pyscf_relaxation() -> RelaxMaker:
    return RelaxMaker(code=PyscfRelaxation())


@dataclass
class SeededRelaxMaker(Maker):
    """Make the flow that relaxes structures, one job for each."""

    name: str = "seeded relax"
    """Name of the flow."""
    relax_maker: RelaxMaker = field(default_factory=_pyscf_relaxation)
    """How structures are relaxed; molecules by PySCF by default."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves that of the Maker."""

    def make(
        self,
        structures: AtomicStructure | Sequence[AtomicStructure],
        *,
        predictor: Predictor | None = None,
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        structures
            What to relax: one, or several.
        predictor
            Whose densities to start from; default: the shipped model.

        Returns
        -------
        Flow
            Its output is the list of atomate2's documents.
        """
        chosen = ScdpPredictor() if predictor is None else predictor
        one = isinstance(structures, (Molecule, Structure))
        several: list[AtomicStructure] = [structures] if one else list(structures)  # type: ignore[list-item,arg-type]
        maker = self.relax_maker
        if self.store_path is not None:
            maker = replace(maker, store_path=self.store_path)
        jobs: list[Flow | Job] = [maker.make(each, predictor=chosen) for each in several]
        return Flow(jobs, output=[each.output for each in jobs], name=self.name)
