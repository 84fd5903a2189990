"""The whole way: from structures to DFT that starts from predicted densities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Job, Maker

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.flows.train import TrainFlowMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.jobs.seed import SeedMaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure
    from scdp_flows.predictors.base import Predictor

__all__ = ["PipelineMaker"]


def _pyscf_restarts() -> SeedMaker:
    return SeedMaker(code=PyscfCode())


@dataclass
class PipelineMaker(Maker):
    """Make the flow that labels, trains, evaluates, restarts DFT and reports.

    Run again with the same structures and settings, it repeats nothing that is in the store.

    Examples
    --------
    >>> from scdp_flows.demo.structures import load_ethanol
    >>> frames = load_ethanol(12)
    >>> flow = PipelineMaker(store_path="my_store").make(frames[:10], test_structures=frames[10:])
    >>> [job.name for job in flow.jobs]
    ['label structures', 'label test structures', 'train a model', 'seed', 'report']
    """

    name: str = "pipeline"
    """Name of the flow."""
    label_maker: LabelFlowMaker = field(default_factory=LabelFlowMaker)
    """How structures are labelled."""
    train_maker: TrainFlowMaker = field(default_factory=TrainFlowMaker)
    """How a model is made of the labels."""
    seed_maker: SeedMaker | None = field(default_factory=_pyscf_restarts)
    """How DFT is restarted on the test structures; None leaves that out."""
    report_maker: ReportMaker | None = field(default_factory=ReportMaker)
    """How the report is written; None leaves it out."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(
        self,
        structures: Sequence[AtomicStructure],
        *,
        test_structures: Sequence[AtomicStructure] = (),
        predictors: Sequence[Predictor] = (),
    ) -> Flow:
        """Chain the jobs.

        Parameters
        ----------
        structures
            What to train on; without test structures, some are held out by the rule of the dataset.
        test_structures
            What to test on alone.
        predictors
            Who else is evaluated and started from, beside atoms and the trained model.

        Returns
        -------
        Flow
            Its output is a dictionary of ``dataset_id``, ``model_id``, ``evaluation_ids``,
            ``seed_ids`` and ``report_id``, as far as these are made.
        """
        labeller = replace(self.label_maker, store_path=self._store(self.label_maker.store_path))
        trainer = replace(self.train_maker, store_path=self._store(self.train_maker.store_path))
        label = labeller.make(structures)
        steps: list[Flow | Job] = [label]
        test_ids = None
        if test_structures:
            test = replace(labeller, name="label test structures").make(test_structures)
            steps.append(test)
            test_ids = test.output.density_ids
        train = trainer.make(label.output.density_ids, test_ids=test_ids, predictors=predictors)
        output: dict[str, Any] = dict(train.output)
        steps.append(train)
        if self.seed_maker is not None:
            trained = trainer.trained(output["model_id"])
            seed = self.seed_maker.in_store(self.store_path).make(
                dataset_id=output["dataset_id"], predictors=[trained, *predictors]
            )
            steps.append(seed)
            output["seed_ids"] = seed.output.seed_ids
        if self.report_maker is not None:
            report = self._report(output)
            steps.append(report)
            output["report_id"] = report.output.report_id
        return Flow(steps, output=output, name=self.name)

    def _store(self, path: str | None) -> str | None:
        return self.store_path if path is None else path

    def _report(self, output: dict[str, Any]) -> Job:
        maker = self.report_maker or ReportMaker()
        report: Job = maker.in_store(self.store_path).make(
            model_ids=[output["model_id"]],
            evaluation_ids=output["evaluation_ids"],
            seed_ids=output.get("seed_ids", ()),
        )
        return report
