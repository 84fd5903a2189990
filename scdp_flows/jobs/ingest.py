"""Take densities that other programs have written into the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobflow import job

from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.batches import raise_first
from scdp_flows.jobs.ingest_batch import IngestBatch
from scdp_flows.jobs.ingest_items import IngestRules
from scdp_flows.jobs.ingest_sources import find_files, offers_of
from scdp_flows.progress import Progress
from scdp_flows.schemas.outputs import LabelOutput
from scdp_flows.scratch import scratch_folder
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from scdp_flows.jobs.ingest_items import Offer

__all__ = ["IngestMaker", "OfferMaker", "find_files"]

_NOUN = "files"


@dataclass(kw_only=True)
class OfferMaker(StepMaker):
    """Hold what all Makers of ingestion share: how offers are read and judged.

    A density that was taken before, also under another name or compressed, is recognised by its
    content. What is refused or doubted is recorded with the reason (see
    :func:`scdp_flows.jobs.ingest_records.list_offers`); what was taken is not read again.
    """

    kind: dict[str, str] | None = None
    """What the densities are, as :meth:`scdp_flows.kind.DensityKind.as_dict` writes it; fields that
    are left out are taken from the run, where VASP's OUTCAR stands beside the density."""
    format: str | None = None
    """Format of the files; None: judged from their content."""
    electrons: dict[str, float] | None = None
    """Electrons of a neutral atom by chemical symbol; given, the integral must agree with it."""
    doubtful: bool = False
    """Whether to take densities that look wrong; see
    :func:`scdp_flows.io.plausibility.judge`."""
    n_processes: int | None = None
    """Densities read at a time; None: as the settings say, on all cores by default."""

    def take(self, offers: Iterable[Offer], tags: Sequence[str], total: int) -> LabelOutput:
        """Take offers into the stores.

        Parameters
        ----------
        offers
            What is offered.
        tags
            Free labels that the documents get.
        total
            How many there are, if only as a guess.

        Raises
        ------
        ScdpFlowsError
            If not a single density could be taken; otherwise the output lists those.
        StoreError
            If the store cannot be written.
        """
        start = time.monotonic()
        rules = IngestRules(self.kind or {}, self.format, self.electrons, self.doubtful)
        n_processes = self.n_processes or get_settings().N_PROCESSES
        with self.open_stores() as stores, Progress("ingest", total) as progress:
            batch = IngestBatch(stores, rules, tags, progress)
            batch.take(offers, n_processes=n_processes)
            if batch.errors and not batch.n_taken:
                raise_first(batch.errors, "ingested", noun=_NOUN)
            return batch.output(time.monotonic() - start)


@dataclass(kw_only=True)
class IngestMaker(OfferMaker):
    """Make the job that reads files of densities into the store."""

    name: str = "ingest"

    @job(output_schema=LabelOutput)
    def make(self, files: Sequence[str], tags: Sequence[str] = ()) -> LabelOutput:
        """Ingest files.

        Parameters
        ----------
        files
            Paths of files, archives (tar, zip; read member by member) or folders, or patterns such
            as ``"runs/*/CHGCAR.gz"``.
        tags
            Free labels that the documents get.

        Raises
        ------
        DatasetError
            If a pattern matches no file.
        ScdpFlowsError
            If not a single density could be taken; otherwise the output lists those.
        StoreError
            If the store cannot be written.
        """
        paths = find_files(files)
        with scratch_folder("scdp-ingest-") as scratch:
            return self.take(self._offers(paths, scratch), tags, len(paths))

    def _offers(self, paths: Sequence[Path], scratch: Path) -> Iterator[Offer]:
        for path in paths:
            yield from offers_of(path, scratch, format=self.format)
