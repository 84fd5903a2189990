"""Look through the records of what was offered, and let single quarantined densities in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.errors import DatasetError
from scdp_flows.schemas.ingest import IngestDoc
from scdp_flows.stores.documents import DocumentStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.schemas.ingest import IngestStatus
    from scdp_flows.stores.factory import Stores

__all__ = ["ingest_records", "list_offers", "release"]


def ingest_records(stores: Stores) -> DocumentStore[IngestDoc]:
    """Return the records of what was offered, which lie beside the reports."""
    return DocumentStore(stores.reports.reports.store, IngestDoc, shared=True)


def list_offers(stores: Stores, status: IngestStatus | None = None) -> list[IngestDoc]:
    """Return what became of each source in the end, in the order in which that was decided.

    Parameters
    ----------
    stores
        Where the records are.
    status
        Only those of this status.

    Returns
    -------
    list of IngestDoc
        A source that was refused and later taken, with other settings or after it was copied anew,
        occurs once, as taken.
    """
    newest: dict[str, IngestDoc] = {}
    for doc in ingest_records(stores).query(sort={"provenance.created_at": 1}):
        earlier = newest.get(doc.source)
        if earlier is None or earlier.density_id is None or doc.density_id is not None:
            newest.pop(doc.source, None)
            newest[doc.source] = doc
    return [doc for doc in newest.values() if status is None or doc.status == status]


def release(stores: Stores, ingest_ids: Sequence[str], because: str) -> list[IngestDoc]:
    """Let quarantined densities in: the next time they are offered, they are taken.

    Parameters
    ----------
    stores
        Where the records are.
    ingest_ids
        Identifiers of the records.
    because
        Why they may be used in spite of the doubts; it is kept.

    Raises
    ------
    UnknownNameError
        If there is no such record; none is changed then.
    DatasetError
        If one is not quarantined, or no reason is given; none is changed then.
    """
    if not because.strip():
        raise DatasetError("no reason is given; say why what was doubted may be used")
    records = ingest_records(stores)
    docs = [records.get(ingest_id) for ingest_id in ingest_ids]
    for doc in docs:
        if doc.status != "quarantined":
            raise DatasetError(
                f"{doc.ingest_id} ({doc.source}) is {doc.status}; only what is quarantined can be "
                "released"
            )
    return [records.put(doc.updated(released=because.strip())) for doc in docs]
