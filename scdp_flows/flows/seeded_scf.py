"""Restart DFT from predictions, and report what that saves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Job, Maker

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["SeededScfMaker"]


def _pyscf_restarts() -> SeedMaker:
    return SeedMaker(code=PyscfCode())


@dataclass
class SeededScfMaker(Maker):
    """Make the flow that converges structures from predicted and other densities and reports."""

    name: str = "seeded scf"
    """Name of the flow."""
    seed_maker: SeedMaker = field(default_factory=_pyscf_restarts)
    """How starts are compared; by PySCF by default."""
    report_maker: ReportMaker | None = field(default_factory=ReportMaker)
    """How the report is written; None leaves it out."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self,
        structures: Sequence[AtomicStructure] = (),
        *,
        density_ids: Sequence[str] | None = None,
        predictors: Predictor | Sequence[Predictor] | None = None,
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        structures
            What to compute.
        density_ids
            Labels whose structures are computed too.
        predictors
            Whose densities to start from; default: the shipped model.

        Returns
        -------
        Flow
            Its output is that of the restarts.
        """
        chosen = ScdpPredictor() if predictors is None else predictors
        seed = self.seed_maker.in_store(self.store_path).make(
            structures, density_ids=density_ids, predictors=chosen
        )
        jobs: list[Flow | Job] = [seed]
        if self.report_maker is not None:
            maker = self.report_maker.in_store(self.store_path)
            jobs.append(maker.make(seed_ids=seed.output.seed_ids))
        return Flow(jobs, output=seed.output, name=self.name)
