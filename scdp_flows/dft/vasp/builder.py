"""Keep an overview of seeded VASP runs up to date."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from maggma.core import Builder

from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.vasp_seed import VaspSeedDoc, VaspSeedSummaryDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

    from scdp_flows.stores.factory import Stores

__all__ = ["VaspSeedBuilder"]

_Runs = list[VaspSeedDoc]


class VaspSeedBuilder(Builder):
    """Sum up, by formula, job and functional, how runs started and how many steps they took.

    Parameters
    ----------
    reports
        Documents of seeded runs.
    curation
        Where the summaries go.
    """

    def __init__(self, reports: Store, curation: Store, chunk_size: int = 50) -> None:
        self.reports, self.curation = reports, curation
        super().__init__(sources=[reports], targets=[curation], chunk_size=chunk_size)

    @classmethod
    def of(cls, stores: Stores) -> VaspSeedBuilder:
        """Return the builder on open stores."""
        return cls(stores.reports.vasp_seeds.store, stores.curation.leaderboards.store)

    def get_items(self) -> Iterator[_Runs]:
        """Yield the audited runs of each group."""
        groups: dict[str, _Runs] = defaultdict(list)
        for doc in DocumentStore(self.reports, VaspSeedDoc, shared=True).query():
            if doc.audit is not None:
                groups[content_hash([doc.formula, doc.job_name, doc.functional])].append(doc)
        yield from groups.values()

    def process_item(self, item: _Runs) -> VaspSeedSummaryDoc:
        """Sum up one group."""
        first = item[0]
        used = [doc for doc in item if doc.audit and doc.audit.seed_used]
        others = [doc for doc in item if doc.audit and not doc.audit.seed_used]
        left = sum(doc.status == "left" for doc in others)
        reasons = Counter(doc.reason or str(doc.audit and doc.audit.why_not_used) for doc in others)
        return VaspSeedSummaryDoc(
            summary_id=content_hash([first.formula, first.job_name, first.functional])[:24],
            formula=first.formula,
            job_name=first.job_name,
            functional=first.functional,
            n_used=len(used),
            n_unused=len(others) - left,
            n_left=left,
            first_steps_used=_mean_first(used),
            first_steps_others=_mean_first(others),
            reasons=dict(reasons),
        )

    def update_targets(self, items: list[VaspSeedSummaryDoc]) -> None:
        """Store summaries."""
        target = DocumentStore(self.curation, VaspSeedSummaryDoc, shared=True)
        for item in items:
            target.put(item)


def _mean_first(docs: _Runs) -> float | None:
    """Return the mean number of electronic steps of the first ionic step."""
    steps = [doc.audit.scf_steps[0] for doc in docs if doc.audit and doc.audit.scf_steps]
    return fmean(steps) if steps else None
