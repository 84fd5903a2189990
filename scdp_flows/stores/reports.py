"""Keep what the pipeline found out: predictions, evaluations, comparisons of starts, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scdp_flows.errors import UnknownNameError
from scdp_flows.schemas.evaluation import EvaluationDoc
from scdp_flows.schemas.prediction import PredictionDoc
from scdp_flows.schemas.relaxation import RelaxationDoc
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.schemas.run_seed import RunSeedDoc
from scdp_flows.schemas.seeding import SeedDoc
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc
from scdp_flows.schemas.vasp_seed import VaspSeedDoc
from scdp_flows.stores.documents import SHARED_KEY, DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

    from scdp_flows.schemas.base import ScdpDoc

__all__ = ["ReportStore", "RunStart"]


class RunStart(NamedTuple):
    """How one calculation started, whatever the code."""

    job_uuid: str | None
    """Job that ran it."""
    formula: str
    """Formula in Hill order."""
    seed_used: bool
    """Whether it started from the given density; of several geometries, whether all did."""
    why_not: str | None
    """Why not, where it did not."""
    scf_steps: list[int]
    """Electronic steps of each ionic step."""


class ReportStore:
    """Keep the documents of all results in one collection.

    Each type has its own typed view: ``predictions``, ``evaluations``, ``seeds``, ``benchmarks``,
    ``vasp_seeds``, ``run_seeds``, ``relaxations`` and ``reports``.

    Parameters
    ----------
    store
        A connected maggma store with the key ``report_key``.
    """

    def __init__(self, store: Store) -> None:
        store.ensure_index(SHARED_KEY)
        store.ensure_index("doc_type")
        self.predictions = DocumentStore(store, PredictionDoc, shared=True)
        self.evaluations = DocumentStore(store, EvaluationDoc, shared=True)
        self.seeds = DocumentStore(store, SeedDoc, shared=True)
        self.vasp_seeds = DocumentStore(store, VaspSeedDoc, shared=True)
        self.run_seeds = DocumentStore(store, RunSeedDoc, shared=True)
        self.benchmarks = DocumentStore(store, SeedingBenchmarkDoc, shared=True)
        self.relaxations = DocumentStore(store, RelaxationDoc, shared=True)
        self.reports = DocumentStore(store, ReportDoc, shared=True)

    def put(self, doc: ScdpDoc) -> ScdpDoc:
        """Store a document of any of these types.

        Raises
        ------
        UnknownNameError
            If it is of another type.
        StoreError
            If it cannot be written.
        """
        stored: ScdpDoc = self._view(doc.doc_type).put(doc)
        return stored

    def get(self, doc_type: str, identifier: str) -> ScdpDoc:
        """Return a document by type and identifier.

        Parameters
        ----------
        doc_type
            ``"prediction"``, ``"evaluation"``, ``"seed"``, ``"seeding_benchmark"``,
            ``"vasp_seed"``, ``"run_seed"``, ``"relaxation"`` or ``"report"``.
        identifier
            The identifier of the document.

        Raises
        ------
        UnknownNameError
            If there is no such type or document.
        """
        found: ScdpDoc = self._view(doc_type).get(identifier)
        return found

    def starts(self) -> Iterator[RunStart]:
        """Yield how the calculations of all codes started, of which the outputs are known."""
        for seeds in (self.vasp_seeds, self.run_seeds):
            for doc in seeds.query():
                found = doc.audit
                if found is not None:
                    used, why = found.seed_used, found.why_not_used
                    yield RunStart(doc.job_uuid, doc.formula, used, why, found.scf_steps)
        for path in self.relaxations.query():
            steps = path.steps
            reasons = (step.fallback_reason for step in steps)
            yield RunStart(
                path.job_uuid,
                path.formula,
                all(step.seed_used for step in steps),
                next(filter(None, reasons), None),
                [step.iterations for step in steps],
            )

    def _view(self, doc_type: str) -> DocumentStore[Any]:
        views: list[DocumentStore[Any]] = [
            self.predictions,
            self.evaluations,
            self.seeds,
            self.benchmarks,
            self.vasp_seeds,
            self.run_seeds,
            self.relaxations,
            self.reports,
        ]
        known = {view.document.doc_type: view for view in views}
        if doc_type not in known:
            raise UnknownNameError(doc_type, known, what="report type")
        return known[doc_type]
