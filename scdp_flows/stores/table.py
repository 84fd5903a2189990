"""Keep the documents of one collection in one table of an SQLite file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import StoreError
from scdp_flows.stores.criteria import indexed_expression, matches, normalised, sql_prefilter
from scdp_flows.stores.encoding import decode_document

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

    def count(self) -> int:
        """Return the number of documents."""
        with self.file.reading() as connection:
            row = connection.execute(f"SELECT count(*) FROM {self._quoted}").fetchone()  # noqa: S608
        return int(row[0])

    def find(self, criteria: Mapping[str, Any] | None) -> Iterator[tuple[int, Document]]:
        """Yield the number and content of each document that satisfies a query.

        No statement stays open while the caller thinks: rows are fetched in pages. An open one
        would keep the write-ahead log from being emptied and would break if the caller writes.
        """
        wanted = normalised(criteria)
        condition, parameters = sql_prefilter(wanted)
        statement = (
            f"SELECT number, document FROM {self._quoted} "  # noqa: S608 - quoted and bound
            f"WHERE number > ? {f'AND {condition}' if condition else ''} ORDER BY number LIMIT ?"
        )
        last = -1
        while True:
            with self.file.reading() as connection:
                rows = connection.execute(statement, (last, *parameters, _PAGE)).fetchall()
            for number, text in rows:
                document = decode_document(text)
                if not wanted or matches(wanted, document):
                    yield number, document
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

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
                number = next((number for number, _ in self.find(search)), None)
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
