"""Write a report of what was found out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobflow import job

from scdp_flows.jobs.base import StepMaker
from scdp_flows.schemas.report import ReportDoc

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ReportMaker", "SeedingReportMaker"]


@dataclass(kw_only=True)
class ReportMaker(StepMaker):
    """Make the job that writes ``report.html`` and ``report.json``."""

    name: str = "report"
    folder: str = "report"
    """Where the files go."""
    title: str = "Predicted densities"
    """Title of the report."""

    def __post_init__(self) -> None:
        """Make the paths absolute: jobs may run in folders of their own."""
        super().__post_init__()
        self.folder = str(Path(self.folder).expanduser().absolute())

    @job(output_schema=ReportDoc)
    def make(
        self,
        *,
        model_ids: Sequence[str] = (),
        evaluation_ids: Sequence[str] = (),
        seed_ids: Sequence[str] = (),
    ) -> ReportDoc:
        """Write the report; what is missing is left out with a note.

        Parameters
        ----------
        model_ids
            Models, the most important first.
        evaluation_ids
            Evaluations.
        seed_ids
            Comparisons of starts.

        Raises
        ------
        UnknownNameError
            If a document does not exist.
        StoreError
            If the folder cannot be written.
        """
        # matplotlib comes with it.
        from scdp_flows.reports.build import build_report

        with self.open_stores() as stores:
            return build_report(
                stores,
                Path(self.folder),
                model_ids=model_ids,
                evaluation_ids=evaluation_ids,
                seed_ids=seed_ids,
                title=self.title,
            )


@dataclass(kw_only=True)
class SeedingReportMaker(StepMaker):
    """Make the job that writes ``seeding.html``, ``seeding.json`` and pictures of benchmarks."""

    name: str = "seeding report"
    folder: str = "report"
    """Where the files go."""
    title: str = "What a start saves"
    """Title of the report."""

    def __post_init__(self) -> None:
        """Make the paths absolute: jobs may run in folders of their own."""
        super().__post_init__()
        self.folder = str(Path(self.folder).expanduser().absolute())

    @job(output_schema=ReportDoc)
    def make(self, benchmark_ids: Sequence[str]) -> ReportDoc:
        """Write the report.

        Parameters
        ----------
        benchmark_ids
            Benchmarks, the most important first.

        Raises
        ------
        UnknownNameError
            If a document does not exist.
        StoreError
            If the folder cannot be written.
        """
        # matplotlib comes with it.
        from scdp_flows.reports.seeding import build_seeding_report

        with self.open_stores() as stores:
            return build_seeding_report(stores, Path(self.folder), benchmark_ids, title=self.title)
