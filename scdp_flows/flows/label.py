"""Label many structures in batches that workers can share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobflow import Flow, Maker

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.errors import DatasetError
from scdp_flows.flows.batches import structure_batches
from scdp_flows.jobs.label import LabelMaker, merge_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.io.structures import AtomicStructure

__all__ = ["LabelFlowMaker"]


def _pyscf_labels() -> LabelMaker:
    return LabelMaker(code=PyscfCode())


@dataclass
class LabelFlowMaker(Maker):
    """Make the flow that labels structures, one job per batch.

    Examples
    --------
    >>> from scdp_flows.demo.structures import load_ethanol
    >>> len(LabelFlowMaker(batch_size=10).make(load_ethanol(25)).jobs)
    4
    """

    name: str = "label structures"
    """Name of the flow."""
    label_maker: LabelMaker = field(default_factory=_pyscf_labels)
    """How a batch is labelled; by PySCF by default."""
    batch_size: int = 250
    """Most structures of a job; fewer where they are large."""
    store_path: str | None = None
    """Folder of the embedded stores of all jobs; None leaves those of their Makers."""

    def make(self, structures: Sequence[AtomicStructure], tags: Sequence[str] = ()) -> Flow:
        """Chain the jobs; the output is that of one label job.

        Parameters
        ----------
        structures
            What to label.
        tags
            Free labels of the documents.

        Raises
        ------
        DatasetError
            If there is no structure.
        """
        if not structures:
            raise DatasetError("there are no structures to label; give at least one")
        maker = self.label_maker.in_store(self.store_path)
        batches = [
            maker.make(batch, tags=tags) for batch in structure_batches(structures, self.batch_size)
        ]
        if len(batches) == 1:
            return Flow(batches[0], output=batches[0].output, name=self.name)
        merged = merge_labels([batch.output for batch in batches])
        return Flow([*batches, merged], output=merged.output, name=self.name)
