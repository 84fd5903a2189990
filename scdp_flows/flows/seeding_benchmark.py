"""Measure what every start saves, with any DFT code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jobflow import Flow, Job, Maker

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.errors import DatasetError
from scdp_flows.jobs.compare_seeds import CompareSeedsMaker
from scdp_flows.jobs.report import SeedingReportMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.predictors.scdp import ScdpPredictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["SeedingBenchmarkMaker"]


def _pyscf_restarts() -> SeedMaker:
    return SeedMaker(code=PyscfCode())


@dataclass
class SeedingBenchmarkMaker(Maker):
    """Make the flow that converges the same inputs from several densities and sums up the savings.

    The starts are the code's own guess, superposed atoms, predictions, labels in Gaussians where
    asked for, and the converged density. All costs are counted: prediction, writing of files, and
    attempts that were discarded. Every structure is stored as soon as it is done and never computed
    again, so a flow that was interrupted goes on where it stopped when it is run again.

    Examples
    --------
    >>> from scdp_flows.demo.structures import load_ethanol
    >>> maker = SeedingBenchmarkMaker(batch_size=2, report_maker=None)
    >>> [job.name for job in maker.make(load_ethanol(3)).jobs]
    ['seed', 'seed', 'compare seeds']
    """

    name: str = "seeding benchmark"
    """Name of the flow, and of the document with its sums."""
    seed_maker: SeedMaker = field(default_factory=_pyscf_restarts)
    """How starts are compared: the DFT code and its settings; PySCF by default."""
    batch_size: int = 100
    """Structures per job."""
    report_maker: SeedingReportMaker | None = field(default_factory=SeedingReportMaker)
    """How the report is written; None leaves it out."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self,
        structures: Sequence[AtomicStructure] = (),
        *,
        density_ids: Sequence[str] = (),
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
            Its output is the document with the sums.

        Raises
        ------
        DatasetError
            If there is nothing to compute.
        """
        chosen = ScdpPredictor() if predictors is None else predictors
        maker = self.seed_maker.in_store(self.store_path)
        size = max(1, self.batch_size)
        batches: list[Job] = [
            maker.make(structures[i : i + size], predictors=chosen)
            for i in range(0, len(structures), size)
        ]
        batches += [
            maker.make(density_ids=density_ids[i : i + size], predictors=chosen)
            for i in range(0, len(density_ids), size)
        ]
        if not batches:
            raise DatasetError("there is nothing to benchmark; give structures or labels")
        summing = CompareSeedsMaker(title=self.name, store_path=maker.store_path)
        summed = summing.make([batch.output for batch in batches], maker.code)
        jobs: list[Flow | Job] = [*batches, summed]
        if self.report_maker is not None:
            report = replace(self.report_maker.in_store(maker.store_path), title=self.name)
            jobs.append(report.make([summed.output.benchmark_id]))
        return Flow(jobs, output=summed.output, name=self.name)
