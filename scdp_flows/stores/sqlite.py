"""Keep documents in an SQLite file behind maggma's Store interface."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggma.core import DateTimeFormat, Sort, Store

from scdp_flows.errors import StoreError
from scdp_flows.stores.connection import SqliteFile
from scdp_flows.stores.criteria import group_documents, project
from scdp_flows.stores.encoding import decode_document, encode_document
from scdp_flows.stores.table import DocumentTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maggma.core import Validator

__all__ = ["SqliteStore"]

Document = dict[str, Any]
SortOrder = dict[str, Sort | int]


class SqliteStore(Store):
    """Keep one collection of documents in one SQLite file.

    It needs no server, lasts, and serves several processes at once. Queries are MongoDB's, with
    the semantics of mongomock. SQLite leaves out what cannot match as far as it can tell, fast when
    the field is indexed; the rest is decided on the decoded documents. Arrays are refused.

    Parameters
    ----------
    path
        The file; several collections can share it.
    collection_name
        Name of the collection.
    key
        The field that identifies a document; it is indexed.
    last_updated_field
        The field that holds the time of the last change.
    last_updated_type
        ``"datetime"`` or ``"isoformat"``.
    validator
        Checks documents before they are written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, SqliteStore(f"{folder}/a.sqlite", key="name") as store:
    ...     store.update([{"name": "water", "n_atoms": 3}, {"name": "ethanol", "n_atoms": 9}])
    ...     [doc["name"] for doc in store.query({"n_atoms": {"$gt": 3}})]
    ['ethanol']
    """

    def __init__(
        self,
        path: str | Path,
        collection_name: str = "documents",
        *,
        key: str = "task_id",
        last_updated_field: str = "last_updated",
        last_updated_type: str | DateTimeFormat = "datetime",
        validator: Validator | None = None,
    ) -> None:
        # Jobs run in folders of their own, so a relative path would mean another file there.
        self.path = str(Path(path).expanduser().absolute())
        self.collection_name = collection_name
        self._file = SqliteFile(self.path)
        super().__init__(
            key=key,
            last_updated_field=last_updated_field,
            last_updated_type=DateTimeFormat(last_updated_type),
            validator=validator,
        )
        # The plain value, because as_dict returns it and JSON knows no enumerations.
        self.last_updated_type = DateTimeFormat(last_updated_type).value  # type: ignore[assignment]

    # ------------------------------------------------------------------------------- connection
    def connect(self, force_reset: bool = False) -> None:  # noqa: FBT001, FBT002 - maggma's signature
        """Open the file, and make it and the collection when they are missing.

        Parameters
        ----------
        force_reset
            Whether to close and open again what is already open.

        Raises
        ------
        StoreError
            If the folder cannot be written or the file is no SQLite database.
        """
        if force_reset:
            self._file.close()
        if self._file.is_open:
            return
        self._file.open()
        self._collection.create()
        self.ensure_index(self.key)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def name(self) -> str:
        """Say which file and collection this is."""
        return f"sqlite://{self.path}/{self.collection_name}"

    @property
    def _collection(self) -> DocumentTable:
        """The table; maggma asks for the handle of the collection under this name."""
        if not self._file.is_open:
            raise StoreError(f"{self.name}: the store is not connected; call connect() first")
        return DocumentTable(self._file, self.collection_name)

    @staticmethod
    def collections(path: str | Path) -> list[str]:
        """Return the names of the collections in a file, sorted.

        Raises
        ------
        StoreError
            If it is no SQLite database.
        """
        with SqliteFile(path).opened() as connection:
            rows = connection.execute(
                "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
                "WHERE m.type = 'table' AND c.name = 'document' ORDER BY m.name"
            ).fetchall()
        return [str(name) for (name,) in rows]

    @staticmethod
    def integrity(path: str | Path) -> list[str]:
        """Return what SQLite finds wrong with a file; empty if nothing.

        Raises
        ------
        StoreError
            If it is no SQLite database.
        """
        with SqliteFile(path).opened() as connection:
            rows = connection.execute("PRAGMA quick_check").fetchall()
        return [str(text) for (text,) in rows if text != "ok"]

    # ---------------------------------------------------------------------------------- reading
    def query(
        self,
        criteria: Document | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: SortOrder | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[Document]:
        """Return the documents that satisfy a query, one at a time.

        Without ``sort`` they come in the order of writing and only a few are held in memory.

        Parameters
        ----------
        criteria
            MongoDB query; None or empty means all.
        properties
            Fields to return, a list of names or a MongoDB projection; None or empty means all.
        sort
            Field names to 1 (ascending) or -1 (descending), the most significant first.
        skip
            Number of documents to leave out at the start.
        limit
            Largest number of documents to return; 0 means no limit.

        Raises
        ------
        StoreError
            If the store is not connected or the query cannot be evaluated.
        """
        table = self._collection
        found = (
            table.find_sorted(criteria, sort)
            if sort
            else (document for _, document in table.find(criteria))
        )
        chosen = islice(found, skip, skip + limit if limit else None)
        return (project(document, properties) for document in chosen)

    def count(self, criteria: Document | None = None) -> int:
        """Return the number of documents that satisfy a query.

        Parameters
        ----------
        criteria
            MongoDB query; None or empty means all.
        """
        return self._collection.count(criteria)

    def distinct(
        self,
        field: str,
        criteria: Document | None = None,
        all_exist: bool = False,  # noqa: ARG002, FBT001, FBT002 - maggma's signature
    ) -> list[Any]:
        """Return the different values of a field; a list counts as its items.

        Parameters
        ----------
        field
            Name of the field, which may be dotted.
        criteria
            MongoDB query; None or empty means all.
        all_exist
            Ignored, as by maggma's own stores.
        """
        return self._collection.distinct(field, criteria)

    def groupby(
        self,
        keys: list[str] | str,
        criteria: Document | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: SortOrder | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[tuple[Document, list[Document]]]:
        """Return groups of documents that agree in some fields; the others are left out.

        Parameters
        ----------
        keys
            Names of the fields to group by.
        criteria, properties, sort, skip, limit
            As for ``query``; they act before the grouping.
        """
        names = [keys] if isinstance(keys, str) else keys
        if properties:
            properties = [*names, *properties]
        yield from group_documents(self.query(criteria, properties, sort, skip, limit), names)

    # ---------------------------------------------------------------------------------- writing
    def update(self, docs: list[Document] | Document, key: list[str] | str | None = None) -> None:
        """Write documents in one transaction; those with the same key are replaced.

        Parameters
        ----------
        docs
            One document or several.
        key
            The field or fields that identify a document; the key of the store when None.

        Raises
        ------
        StoreError
            If a document lacks the key, holds an array or cannot be JSON, or if the file cannot
            be written. Nothing is written then.
        """
        names = [key] if isinstance(key, str) else (key or [self.key])
        # Encoding comes first: a bad document must not cost a transaction that others wait for.
        prepared = [
            (self._search(doc, names), encode_document(doc, where=self.name))
            for doc in (docs if isinstance(docs, list) else [docs])
            if self._valid(doc)
        ]
        self._collection.write(prepared)

    def _search(self, document: Document, names: list[str]) -> Document:
        missing = [name for name in names if name not in document]
        if missing:
            raise StoreError(
                f"{self.name}: a document with the fields {sorted(map(str, document))} lacks the "
                f"key field {missing[0]!r}; add it or name another key"
            )
        text = encode_document({name: document[name] for name in names}, where=self.name)
        search: Document = decode_document(text)
        return search

    def _valid(self, document: Document) -> bool:
        if self.validator is None or self.validator.is_valid(document):
            return True
        problems = self.validator.validation_errors(document)
        if getattr(self.validator, "strict", False):
            raise StoreError(f"{self.name}: the document is not valid: {problems}; correct it")
        self.logger.error("%s: left out a document that is not valid: %s", self.name, problems)
        return False

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let one at a time read documents, change them and write them: one transaction.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        with self._file.writing():
            yield

    def remove_docs(self, criteria: Document) -> None:
        """Remove the documents that satisfy a query, in one transaction.

        Parameters
        ----------
        criteria
            MongoDB query; empty means all.
        """
        self._collection.remove(criteria)

    def ensure_index(self, key: str, unique: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Make an index on a field, so that equality with its values is found at once.

        Parameters
        ----------
        key
            Name of the field, which may be dotted.
        unique
            Whether two documents must not have the same value.

        Returns
        -------
        bool
            Whether the index exists now; False if values are not unique that should be.
        """
        return self._collection.ensure_index(key, unique=unique)

    # --------------------------------------------------------------------------------- identity
    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqliteStore) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, str, str]:
        return self.path, self.collection_name, self.last_updated_field
