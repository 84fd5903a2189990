"""Keep an overview of seeded VASP runs up to date."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

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
_SAME_ENERGY = 1e-3  # eV per atom
_SAME_MOMENT = 0.05  # µB per atom


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
            moment_used_mub=_mean_moment(used),
            moment_others_mub=_mean_moment(others),
            **_compared(used, others),
            reasons=dict(reasons),
        )

    def update_targets(self, items: list[VaspSeedSummaryDoc]) -> None:
        """Store summaries."""
        target = DocumentStore(self.curation, VaspSeedSummaryDoc, shared=True)
        for item in items:
            target.put(item)


def _moment(doc: VaspSeedDoc) -> float | None:
    """Return the total moment per atom, µB, without its sign."""
    if doc.audit is None or doc.audit.moment_mub is None:
        return None
    return abs(doc.audit.moment_mub) / doc.n_atoms


def _mean_moment(docs: _Runs) -> float | None:
    moments = [moment for doc in docs if (moment := _moment(doc)) is not None]
    return fmean(moments) if moments else None


def _compared(used: _Runs, others: _Runs) -> dict[str, Any]:
    """Compare runs of one structure with and without a seed."""
    plain = {doc.structure_hash: doc for doc in others}
    pairs = [(doc, plain[doc.structure_hash]) for doc in used if doc.structure_hash in plain]
    energies, moments, n_other = [], [], 0
    for one, two in pairs:
        energy = _difference(_energy(one), _energy(two))
        moment = _difference(_moment(one), _moment(two))
        energies.append(energy or 0.0)
        moments.append(moment or 0.0)
        n_other += energies[-1] > _SAME_ENERGY or moments[-1] > _SAME_MOMENT
    return {
        "n_pairs": len(pairs),
        "energy_difference_ev": max(energies, default=None),
        "moment_difference_mub": max(moments, default=None),
        "n_other_states": n_other,
    }


def _energy(doc: VaspSeedDoc) -> float | None:
    """Return the energy per atom, eV."""
    if doc.audit is None or doc.audit.energy_ev is None:
        return None
    return doc.audit.energy_ev / doc.n_atoms


def _difference(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else abs(one - two)


def _mean_first(docs: _Runs) -> float | None:
    """Return the mean number of electronic steps of the first ionic step."""
    steps = [doc.audit.scf_steps[0] for doc in docs if doc.audit and doc.audit.scf_steps]
    return fmean(steps) if steps else None
