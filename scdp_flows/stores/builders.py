"""Keep statistics and leaderboards up to date, as maggma Builders do."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from maggma.core import Builder, Store

from scdp_flows.schemas.dataset import DatasetDoc
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.schemas.evaluation import EvaluationDoc
from scdp_flows.schemas.leaderboard import LeaderboardDoc, LeaderboardRow
from scdp_flows.schemas.statistics import StatisticsDoc
from scdp_flows.stores.documents import DocumentStore
from scdp_flows.stores.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scdp_flows.stores.factory import Stores

__all__ = ["LeaderboardBuilder", "StatisticsBuilder", "describe"]

_METRIC = "nmae_percent"
_ASKED_AT_ONCE = 500


class _DocumentBuilder(Builder):
    """Build documents of one type."""

    def refresh(self) -> int:
        """Do on stores that are open what ``run`` does, and leave them open.

        Returns
        -------
        int
            How many documents were made.
        """
        made = 0
        for item in self.get_items():
            self.update_targets([self.process_item(item)])
            made += 1
        return made


class StatisticsBuilder(_DocumentBuilder):
    """Describe every dataset that is not described yet.

    Datasets do not change, so each is read once. Run it with ``refresh()``, or as any maggma
    Builder with ``run()`` or ``mrun``, which connect the stores and close them.

    Parameters
    ----------
    densities
        Documents of densities.
    datasets
        Documents of datasets.
    curation
        Where the statistics go.

    Examples
    --------
    >>> from scdp_flows.stores.factory import open_stores
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, open_stores(folder) as stores:
    ...     StatisticsBuilder.of(stores).refresh()
    0
    """

    def __init__(
        self, densities: Store, datasets: Store, curation: Store, chunk_size: int = 1
    ) -> None:
        self.densities, self.datasets, self.curation = densities, datasets, curation
        super().__init__(sources=[densities, datasets], targets=[curation], chunk_size=chunk_size)

    @classmethod
    def of(cls, stores: Stores) -> StatisticsBuilder:
        """Return the builder on open stores."""
        return cls(
            stores.densities.documents.store,
            stores.datasets.documents.store,
            stores.curation.statistics.store,
        )

    def get_items(self) -> Iterator[DatasetDoc]:
        """Yield the datasets without statistics."""
        done = DocumentStore(self.curation, StatisticsDoc, shared=True)
        known = set(done.distinct("dataset_id"))
        for dataset in DocumentStore(self.datasets, DatasetDoc).query():
            if dataset.dataset_id not in known:
                yield dataset

    def process_item(self, item: DatasetDoc) -> StatisticsDoc:
        """Describe one dataset."""
        densities = DocumentStore(self.densities, DensityDoc)
        parts = {member.density_id: member.split for member in item.members}
        tally = Tally()
        ids = list(parts)
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            wanted = {"density_id": {"$in": ids[start : start + _ASKED_AT_ONCE]}}
            for doc in densities.query(wanted):
                tally.add(doc, parts[doc.density_id])
        return tally.document(item.name, dataset_id=item.dataset_id, query=item.query)

    def update_targets(self, items: list[StatisticsDoc]) -> None:
        """Store statistics."""
        target = DocumentStore(self.curation, StatisticsDoc, shared=True)
        for item in items:
            target.put(item)


class LeaderboardBuilder(_DocumentBuilder):
    """Rank the predictors that were judged on the same labels.

    Two evaluations are compared only where dataset, part and every single label agree.

    Parameters
    ----------
    reports
        Documents of evaluations.
    curation
        Where the leaderboards go.
    """

    def __init__(self, reports: Store, curation: Store, chunk_size: int = 50) -> None:
        self.reports, self.curation = reports, curation
        super().__init__(sources=[reports], targets=[curation], chunk_size=chunk_size)

    @classmethod
    def of(cls, stores: Stores) -> LeaderboardBuilder:
        """Return the builder on open stores."""
        return cls(stores.reports.evaluations.store, stores.curation.leaderboards.store)

    def get_items(self) -> Iterator[list[EvaluationDoc]]:
        """Yield the evaluations that can be compared, without their rows."""
        groups: dict[str, list[EvaluationDoc]] = defaultdict(list)
        for doc in DocumentStore(self.reports, EvaluationDoc, shared=True).query():
            ids = [row.density_id for row in doc.rows]
            groups[LeaderboardDoc.make_id(doc.dataset_id, doc.split, ids)].append(doc)
        yield from groups.values()

    def process_item(self, item: list[EvaluationDoc]) -> LeaderboardDoc:
        """Rank one group; of two evaluations of one predictor the newer counts."""
        newest: dict[tuple[str, str | None], EvaluationDoc] = {}
        for doc in sorted(item, key=lambda doc: doc.provenance.created_at):
            newest[doc.predictor, doc.model_id] = doc
        first = item[0]
        ranked = sorted(newest.values(), key=lambda doc: doc.summary[_METRIC].mean)
        return LeaderboardDoc(
            leaderboard_id=LeaderboardDoc.make_id(
                first.dataset_id, first.split, [row.density_id for row in first.rows]
            ),
            dataset_id=first.dataset_id,
            split=first.split,
            n_structures=len(first.rows),
            rows=[
                LeaderboardRow(
                    rank=rank,
                    predictor=doc.predictor,
                    model_id=doc.model_id,
                    evaluation_id=doc.evaluation_id,
                    means={name: metric.mean for name, metric in doc.summary.items()},
                )
                for rank, doc in enumerate(ranked, start=1)
            ],
        )

    def update_targets(self, items: list[LeaderboardDoc]) -> None:
        """Store leaderboards."""
        target = DocumentStore(self.curation, LeaderboardDoc, shared=True)
        for item in items:
            target.put(item)


def describe(
    stores: Stores, dataset: DatasetDoc | None = None, criteria: Mapping[str, Any] | None = None
) -> StatisticsDoc:
    """Describe a dataset, or what a query of the density store finds, and store the result.

    Parameters
    ----------
    stores
        Where the densities are and the result goes.
    dataset
        The dataset; None describes what the query finds.
    criteria
        MongoDB query of the density store; None means all.

    Raises
    ------
    StoreError
        If a store cannot be read or written.
    """
    if dataset is not None:
        made: StatisticsDoc = StatisticsBuilder.of(stores).process_item(dataset)
    else:
        tally = Tally()
        for doc in stores.densities.query({**(criteria or {}), "status": "ok"}):
            tally.add(doc)
        made = tally.document("query", query=dict(criteria or {}))
    return stores.curation.statistics.put(made)
