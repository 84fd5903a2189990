"""Keep typed documents of one kind in a maggma store."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from pydantic import ValidationError

from scdp_flows.errors import StoreError, UnknownNameError
from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.stores.exclusive import exclusive, replaced
from scdp_flows.stores.outages import explained, outlast, server_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from maggma.core import Sort, Store

__all__ = ["SHARED_KEY", "DocumentStore"]

DocT = TypeVar("DocT", bound=ScdpDoc)

SHARED_KEY = "report_key"
"""Name of the identifying field in a collection that holds documents of several types."""

_TYPE_FIELD = "doc_type"
# More names than that in a message help nobody.
_LISTED = 20


class DocumentStore(Generic[DocT]):
    """Put, get and query documents of one pydantic class.

    Parameters
    ----------
    store
        A connected maggma store.
    document
        The class of the documents.
    shared
        Whether other classes live in the same collection. Their documents are told apart by the
        field ``doc_type`` and identified by ``report_key``.
    """

    def __init__(self, store: Store, document: type[DocT], *, shared: bool = False) -> None:
        self.store = store
        self.document = document
        self.shared = shared
        self.key = SHARED_KEY if shared else document.id_field

    def put(self, doc: DocT) -> DocT:
        """Store a document, in place of one with the same identifier.

        Returns
        -------
        ScdpDoc
            The stored document: the earlier one, untouched, if it says the same.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        return self.put_many([doc])[0]

    def put_many(self, docs: Sequence[DocT]) -> list[DocT]:
        """Store documents of different identifiers together, which is quicker than one by one.

        Returns
        -------
        list of ScdpDoc
            The stored documents, as ``put`` returns them.

        Raises
        ------
        StoreError
            If they cannot be written. With SqliteStore none is written then.
        """
        earlier = self._earlier([doc.identifier for doc in docs])
        stored, rows = [], []
        for doc in docs:
            before = earlier.get(doc.identifier)
            if before is not None and before.same_content(doc):
                stored.append(before)
            else:
                stored.append(doc)
                rows.append(self._row(doc))
        if rows:
            outlast(lambda: self.store.update(rows, key=self.key), self.store.name)
        return stored

    def change(self, identifier: str, change: Callable[[DocT | None], DocT]) -> DocT:
        """Change a document, so that nobody else writes it between reading and writing.

        Parameters
        ----------
        identifier
            Of the document.
        change
            Is given the stored document, None if there is none yet, and returns what shall be
            there; it is asked again when another was quicker.

        Returns
        -------
        ScdpDoc
            The stored document.

        Raises
        ------
        StoreError
            If it cannot be read or written.
        """
        return outlast(lambda: self._changed(identifier, change), self.store.name)

    def _changed(self, identifier: str, change: Callable[[DocT | None], DocT]) -> DocT:
        wanted = self._criteria({self.document.id_field: identifier})
        while True:
            with exclusive(self.store):
                row = next(iter(self.store.query(wanted, limit=1)), None)
                before = None if row is None else self._decoded(row)
                after = change(before)
                if before is not None and before.same_content(after):
                    return before
                if replaced(self.store, row, self._row(after), self.key):
                    return after

    def _earlier(self, identifiers: list[str]) -> dict[str, DocT]:
        """Return the stored documents of some identifiers."""
        one = identifiers[0] if len(identifiers) == 1 else {"$in": identifiers}
        wanted = self._criteria({self.document.id_field: one})
        rows = outlast(lambda: list(self.store.query(wanted)), self.store.name)
        return {doc.identifier: doc for doc in map(self._decoded, rows)}

    def _row(self, doc: DocT) -> dict[str, Any]:
        row = doc.to_dict()
        if self.shared:
            row |= {_TYPE_FIELD: doc.doc_type, SHARED_KEY: self._shared_key(doc.identifier)}
        return row

    def get(self, identifier: str) -> DocT:
        """Return the document with an identifier.

        Raises
        ------
        UnknownNameError
            If there is none; similar identifiers are listed.
        """
        doc = self.find({self.document.id_field: identifier})
        if doc is None:
            raise self._unknown(identifier, self.document.id_field)
        return doc

    def get_named(self, name: str) -> DocT:
        """Return the document with an identifier or, failing that, the newest one of that name.

        Raises
        ------
        UnknownNameError
            If there is none; similar names are listed.
        """
        doc = self.find({self.document.id_field: name})
        if doc is None:
            newest = {"provenance.created_at": -1}
            doc = next(self.query({"name": name}, sort=newest, limit=1), None)
        if doc is None:
            raise self._unknown(name, "name")
        return doc

    def find(self, criteria: Mapping[str, Any]) -> DocT | None:
        """Return the first document that satisfies a query, None if there is none."""
        row = outlast(
            lambda: next(iter(self.store.query(self._criteria(criteria), limit=1)), None),
            self.store.name,
        )
        return None if row is None else self._decoded(row)

    def query(
        self,
        criteria: Mapping[str, Any] | None = None,
        *,
        sort: Mapping[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[DocT]:
        """Yield the documents that satisfy a MongoDB query, one at a time.

        Parameters
        ----------
        criteria
            MongoDB query; None or empty means all.
        sort
            Field names to 1 or -1; without it documents are streamed.
        skip
            Number of documents to leave out at the start.
        limit
            Largest number of documents; 0 means no limit.

        Raises
        ------
        StoreError
            If the store cannot be read or holds something else than these documents.
        """
        with self._explained():
            rows = self.store.query(
                self._criteria(criteria), sort=dict(sort) if sort else None, skip=skip, limit=limit
            )
            for row in rows:
                yield self._decoded(row)

    def count(self, criteria: Mapping[str, Any] | None = None) -> int:
        """Return the number of documents that satisfy a query."""
        wanted = self._criteria(criteria)
        return outlast(lambda: int(self.store.count(wanted)), self.store.name)

    def distinct(self, field: str, criteria: Mapping[str, Any] | None = None) -> list[Any]:
        """Return the different values of a field, sorted as text."""
        wanted = self._criteria(criteria)
        return sorted(outlast(lambda: self.store.distinct(field, wanted), self.store.name), key=str)

    def remove(self, identifier: str) -> None:
        """Remove one document; its blobs stay, since others may share them."""
        wanted = self._criteria({self.document.id_field: identifier})
        outlast(lambda: self.store.remove_docs(wanted), self.store.name)

    def ensure_indexes(self, *fields: str) -> Self:
        """Index fields that are often asked for, and return the store."""
        for field in fields:
            # The first thing that is asked of a server: a wrong address needs no patience.
            outlast(partial(self.store.ensure_index, field), self.store.name, wait=False)
        return self

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except server_errors() as error:
            raise explained(error, self.store.name) from error

    def _criteria(self, criteria: Mapping[str, Any] | None) -> dict[str, Any]:
        if not self.shared:
            return dict(criteria or {})
        wanted = {**(criteria or {}), _TYPE_FIELD: self.document.doc_type}
        identifier = wanted.get(self.document.id_field)
        # The shared key is the one that is indexed everywhere.
        if isinstance(identifier, str):
            wanted[SHARED_KEY] = self._shared_key(identifier)
        elif isinstance(identifier, dict) and list(identifier) == ["$in"]:
            wanted[SHARED_KEY] = {"$in": [self._shared_key(one) for one in identifier["$in"]]}
        return wanted

    def _shared_key(self, identifier: str) -> str:
        return f"{self.document.doc_type}-{identifier}"

    def _decoded(self, row: dict[str, Any]) -> DocT:
        fields = {k: v for k, v in row.items() if k not in {_TYPE_FIELD, SHARED_KEY}}
        try:
            return self.document.model_validate(fields)
        except ValidationError as error:
            detail = error.errors()[0]
            field = ".".join(str(part) for part in detail["loc"]) or "the document"
            raise StoreError(
                f"{self.store.name}: {self.document.doc_type} "
                f"{row.get(self.document.id_field)!r} cannot be read, field {field}: "
                f"{detail['msg']}; was it written by another version of scdp-flows?"
            ) from error

    def _unknown(self, name: str, field: str) -> UnknownNameError:
        known = [str(value) for value in self.distinct(field)]
        error = UnknownNameError(name, known, what=self.document.doc_type)
        return UnknownNameError(name, error.known[:_LISTED], what=self.document.doc_type)
