"""Look for what is missing, damaged or left over in the stores, and say what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from scdp_flows.errors import BlobError, StoreError
from scdp_flows.stores.references import all_collections, documents_with_references
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Store

    from scdp_flows.schemas.base import ScdpDoc
    from scdp_flows.schemas.density import BlobReference
    from scdp_flows.stores.documents import DocumentStore
    from scdp_flows.stores.factory import Stores

__all__ = ["Checked", "Problem", "check_stores"]

_MOST_NAMED = 5


class Problem(NamedTuple):
    """One thing that is wrong."""

    what: str
    """``"missing blob"``, ``"damaged blob"``, ``"unreadable document"``, ``"missing density"`` or
    ``"damaged file"``."""
    where: str
    """The document, blob or file."""
    why: str
    """What was found."""
    remedy: str
    """What to do."""


class Checked(NamedTuple):
    """What a check found."""

    problems: list[Problem]
    """What is wrong; empty if all is well."""
    n_documents: int
    """Documents read."""
    n_blobs: int
    """Different blobs that documents refer to."""
    n_orphans: int
    """Blobs that no document refers to: no harm, collected as garbage in time."""


def check_stores(stores: Stores, *, contents: bool = True) -> Checked:
    """Check documents and blobs.

    Parameters
    ----------
    stores
        The stores; nothing is changed in them.
    contents
        Whether to read every blob and compare its checksum; otherwise only that it is there.

    Raises
    ------
    StoreError
        If a store cannot be read at all.
    """
    problems = list(_damaged_files(stores))
    owners: dict[str, list[str]] = {}
    references: dict[tuple[str, str], BlobReference] = {}
    n_documents = 0
    views = _views(stores)
    for store, row, found in documents_with_references(stores):
        n_documents += 1
        problems += _unreadable(store, row, views)
        for reference in found:
            references[reference.key, reference.compression] = reference
            owners.setdefault(reference.key, []).append(_name(store, row))
    for reference in references.values():
        problem = _blob_problem(stores, reference, contents=contents)
        if problem is not None:
            what, why = problem
            named = owners[reference.key]
            some = ", ".join(sorted(set(named))[:_MOST_NAMED])
            remedy = (
                f"needed by {some}; make these anew (label, ingest, build or train again), which "
                "writes the blob again, restore it from a backup, or remove the documents"
            )
            problems.append(Problem(what, reference.key, why, remedy))
    problems += _missing_members(stores)
    orphans = sum((blob.key, blob.codec) not in references for blob in stores.blobs.entries())
    return Checked(problems, n_documents, len(references), orphans)


def _views(stores: Stores) -> dict[str, list[type[ScdpDoc]]]:
    """Return the types of documents by the name of their collection."""
    reports = stores.reports
    kept = stores.curation
    views: list[DocumentStore[Any]]
    views = [stores.densities.documents, stores.datasets.documents, stores.models.documents]
    views += [reports.predictions, reports.evaluations, reports.seeds, reports.reports]
    views += [kept.pools, kept.splits, kept.statistics, kept.leaderboards]
    found: dict[str, list[type[ScdpDoc]]] = {}
    for view in views:
        found.setdefault(view.store.name, []).append(view.document)
    return found


def _unreadable(
    store: Store, row: dict[str, Any], views: dict[str, list[type[ScdpDoc]]]
) -> Iterator[Problem]:
    types = views.get(store.name)
    if types is None:
        return
    kind = row.get("doc_type", types[0].doc_type)
    for document in types:
        if document.doc_type == kind:
            try:
                content = {k: v for k, v in row.items() if k not in {"doc_type", "report_key"}}
                document.model_validate(content)
            except ValidationError as error:
                detail = error.errors()[0]
                field = ".".join(map(str, detail["loc"])) or "the document"
                yield Problem(
                    "unreadable document",
                    _name(store, row),
                    f"{field}: {detail['msg']}",
                    "make it anew, or remove it; one of a newer version needs that version of "
                    "scdp-flows",
                )


def _name(store: Store, row: dict[str, Any]) -> str:
    collection = getattr(store, "collection_name", store.name)
    return f"{collection} {row.get(store.key, row.get('_id', '?'))}"


def _blob_problem(
    stores: Stores, reference: BlobReference, *, contents: bool
) -> tuple[str, str] | None:
    if not stores.blobs.has(reference):
        return "missing blob", f"no such blob in {stores.blobs.name}"
    if contents:
        try:
            stores.blobs.get(reference)
        except BlobError as error:
            return "damaged blob", str(error).partition(";")[0]
    return None


def _missing_members(stores: Stores) -> Iterator[Problem]:
    for dataset in stores.datasets.query():
        ids = [member.density_id for member in dataset.members]
        known: set[str] = set()
        for start in range(0, len(ids), 1000):
            some = {"density_id": {"$in": ids[start : start + 1000]}}
            known |= set(stores.densities.distinct("density_id", some))
        lost = [density_id for density_id in ids if density_id not in known]
        if lost:
            yield Problem(
                "missing density",
                f"dataset {dataset.name} {dataset.dataset_id}",
                f"{len(lost)} of {len(ids)} members are not in the store, first {lost[0]}",
                "ingest or label them again; the packed samples still train",
            )


def _damaged_files(stores: Stores) -> Iterator[Problem]:
    files = {s.path for s in all_collections(stores) if isinstance(s, SqliteStore)}
    for path in sorted(files):
        try:
            complaints = SqliteStore.integrity(path)
        except StoreError as error:
            complaints = [str(error)]
        if complaints:
            yield Problem(
                "damaged file",
                path,
                "; ".join(complaints[:_MOST_NAMED]),
                "restore it from a backup, or save what can be read with: sqlite3 FILE .recover",
            )
