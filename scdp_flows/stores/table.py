"""Keep the documents of one collection in one table of an SQLite file."""

from __future__ import annotations

import sqlite3
from array import array
from itertools import islice
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import StoreError
from scdp_flows.stores.criteria import (
    distinct_values,
    matches,
    normalised,
    project,
    sort_documents,
)
from scdp_flows.stores.encoding import decode_document
from scdp_flows.stores.pushdown import (
    OTHER,
    Condition,
    certain_condition,
    indexed_expression,
    sql_prefilter,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scdp_flows.stores.connection import SqliteFile

__all__ = ["DocumentTable"]

Document = dict[str, Any]
# Rows fetched at a time: enough to hide the cost of a statement, few enough to keep little memory.
_PAGE = 256


class DocumentTable:
    """Read and write documents by MongoDB queries, in order of writing.

    Parameters
    ----------
    file
        An open SQLite file.
    name
        Name of the table.
    """

    def __init__(self, file: SqliteFile, name: str) -> None:
        self.file = file
        self.name = name
        self._quoted = _quoted(name)

    def create(self) -> None:
        """Make the table when it is missing."""
        # Looking first keeps those who only read from waiting for a writer.
        if self._exists("table", self.name):
            return
        with self.file.writing() as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._quoted} "
                "(number INTEGER PRIMARY KEY, document TEXT NOT NULL)"
            )

    def count(self, criteria: Mapping[str, Any] | None = None) -> int:
        """Return the number of documents that satisfy a query; None or empty means all."""
        wanted = normalised(criteria)
        if not wanted:
            return self._number(Condition("1", []))
        certain = certain_condition(wanted)
        if certain is None:
            return sum(1 for _ in self.find(wanted))
        # Documents with a list in such a field are the only ones that must be looked at.
        possible = sql_prefilter(wanted)
        rest = Condition(
            f"{possible.sql} AND NOT ({certain.sql})", possible.parameters + certain.parameters
        )
        return self._number(certain) + sum(1 for _ in self._matching(wanted, rest))

    def _number(self, condition: Condition) -> int:
        with self.file.reading() as connection:
            statement = f"SELECT count(*) FROM {self._quoted} WHERE {condition.sql}"  # noqa: S608
            return int(connection.execute(statement, condition.parameters).fetchone()[0])

    def find(self, criteria: Mapping[str, Any] | None) -> Iterator[tuple[int, Document]]:
        """Yield the number and content of each document that satisfies a query.

        No statement stays open while the caller thinks: rows are fetched in pages. An open one
        would keep the write-ahead log from being emptied and would break if the caller writes.
        """
        wanted = normalised(criteria)
        return self._matching(wanted, sql_prefilter(wanted))

    def find_sorted(
        self, criteria: Mapping[str, Any] | None, sort: Mapping[str, Any]
    ) -> Iterator[Document]:
        """Yield the documents that satisfy a query in an order; only what is compared is held.

        Parameters
        ----------
        criteria
            MongoDB query.
        sort
            Field names to 1 or -1.
        """
        names = list(sort)
        # No field of a document has the empty name.
        short = [project(document, names) | {"": n} for n, document in self.find(criteria)]
        numbers = array("q", (found[""] for found in sort_documents(short, sort)))
        del short
        return (document for _, document in self._numbered(numbers))

    def distinct(self, field: str, criteria: Mapping[str, Any] | None) -> list[Any]:
        """Return the different values of a field; a list counts as its items."""
        expression = indexed_expression(field)
        if criteria or expression is None:
            return distinct_values((document for _, document in self.find(criteria)), field)
        with self.file.reading() as connection:
            # An index on the field answers this without a look at the documents.
            rows = connection.execute(
                f"SELECT DISTINCT {expression} FROM {self._quoted} "  # noqa: S608
                f"WHERE {expression} >= '' AND {expression} < {OTHER}"
            ).fetchall()
        texts = [text for (text,) in rows]
        rest = Condition(f"({expression} < '' OR {expression} = {OTHER})", [])
        others = distinct_values((document for _, document in self._matching({}, rest)), field)
        return texts + [value for value in others if value not in set(texts)]

    def _matching(
        self, wanted: Mapping[str, Any], condition: Condition
    ) -> Iterator[tuple[int, Document]]:
        for number, document in self._rows(condition):
            if not wanted or matches(wanted, document):
                yield number, document

    def _rows(self, condition: Condition) -> Iterator[tuple[int, Document]]:
        if condition.sql:
            with self.file.reading() as connection:
                # The numbers alone, because each page would evaluate the condition once more.
                statement = f"SELECT number FROM {self._quoted} WHERE {condition.sql}"  # noqa: S608
                found = connection.execute(statement, condition.parameters)
                numbers = array("q", sorted(number for (number,) in found))
            yield from self._numbered(numbers)
            return
        statement = (
            f"SELECT number, document FROM {self._quoted} "  # noqa: S608 - quoted and bound
            "WHERE number > ? ORDER BY number LIMIT ?"
        )
        last = -1
        while True:
            with self.file.reading() as connection:
                rows = connection.execute(statement, (last, _PAGE)).fetchall()
            for number, text in rows:
                yield number, decode_document(text)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def _numbered(self, numbers: Iterable[int]) -> Iterator[tuple[int, Document]]:
        """Yield the documents of these numbers, in this order; removed ones are left out."""
        remaining = iter(numbers)
        while page := list(islice(remaining, _PAGE)):
            marks = ", ".join("?" * len(page))
            with self.file.reading() as connection:
                rows = connection.execute(
                    f"SELECT number, document FROM {self._quoted} WHERE number IN ({marks})",  # noqa: S608
                    page,
                ).fetchall()
            texts = dict(rows)
            for number in page:
                if number in texts:
                    yield number, decode_document(texts[number])

    def write(self, entries: Iterable[tuple[Document, str]]) -> None:
        """Write encoded documents in one transaction, all of them or none.

        Parameters
        ----------
        entries
            Pairs of a query and a text. The text replaces the first document that satisfies the
            query, or is added.
        """
        with self.file.writing() as connection:
            for search, text in entries:
                number = self._first(search)
                if number is None:
                    connection.execute(
                        f"INSERT INTO {self._quoted} (document) VALUES (?)",  # noqa: S608
                        (text,),
                    )
                else:
                    connection.execute(
                        f"UPDATE {self._quoted} SET document = ? WHERE number = ?",  # noqa: S608
                        (text, number),
                    )

    def _first(self, search: Document) -> int | None:
        """Return the number of the first document that satisfies a query."""
        certain = certain_condition(search)
        if certain is not None:
            with self.file.reading() as connection:
                statement = f"SELECT min(number) FROM {self._quoted} WHERE {certain.sql}"  # noqa: S608
                number = connection.execute(statement, certain.parameters).fetchone()[0]
            if number is not None:
                return int(number)
        return next((number for number, _ in self.find(search)), None)

    def remove(self, criteria: Mapping[str, Any]) -> None:
        """Remove the documents that satisfy a query, in one transaction."""
        with self.file.writing() as connection:
            numbers = [(number,) for number, _ in self.find(criteria)]
            connection.executemany(f"DELETE FROM {self._quoted} WHERE number = ?", numbers)  # noqa: S608

    def ensure_index(self, field: str, *, unique: bool) -> bool:
        """Make an index on a field and return whether it exists now.

        Parameters
        ----------
        field
            Name of the field, which may be dotted.
        unique
            Whether two documents must not have the same string or number in it.
        """
        expression = indexed_expression(field)
        if expression is None:
            return False
        label = f"{self.name}_{field}{'_unique' if unique else ''}"
        if self._exists("index", label):
            return True
        # Absent values are all the same marker, which a unique index must not count.
        condition = f"WHERE {expression} <> x''" if unique else ""
        try:
            with self.file.writing() as connection:
                connection.execute(
                    f"CREATE {'UNIQUE' if unique else ''} INDEX IF NOT EXISTS {_quoted(label)} "
                    f"ON {self._quoted} ({expression}) {condition}"
                )
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                return False
            raise
        return True

    def _exists(self, kind: str, name: str) -> bool:
        with self.file.reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE type = ? AND name = ?", (kind, name)
            ).fetchone()
        return found is not None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
