"""Keep documents as files in a shared folder, for workers that reach no database."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggma.core import Sort, Store

from scdp_flows.errors import StoreError
from scdp_flows.stores.criteria import (
    distinct_values,
    group_documents,
    matches,
    normalised,
    project,
    sort_documents,
)
from scdp_flows.stores.encoding import decode_document, encode_document
from scdp_flows.stores.files import locked, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FilesStore"]

Document = dict[str, Any]
_SUFFIX = ".json"


class FilesStore(Store):
    """Keep one collection of documents, each in a file of its own.

    It needs no server: a file is there wholly or not at all, so that all machines that share a file
    system, NFS too, can write at the same time. Locks serve :meth:`exclusive` alone.
    Asking for a key reads one file, any other question reads them all: good for some ten thousand
    documents.

    Parameters
    ----------
    path
        The folder; several collections can share it.
    collection_name
        Name of the collection.
    key
        The field that identifies a document.
    last_updated_field
        The field that holds the time of the last change.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, FilesStore(folder, key="name") as store:
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
    ) -> None:
        self.path = str(Path(path).expanduser().absolute())
        self.collection_name = collection_name
        super().__init__(key=key, last_updated_field=last_updated_field)

    # ------------------------------------------------------------------------------- connection
    def connect(self, force_reset: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - maggma's signature
        """Make the folder when it is missing.

        Raises
        ------
        StoreError
            If it cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Do nothing: no file stays open."""

    @property
    def name(self) -> str:
        """Say which folder this is."""
        return f"files://{self._folder}"

    @property
    def _folder(self) -> Path:
        return Path(self.path) / self.collection_name

    @property
    def _collection(self) -> Path:
        """The folder; maggma asks for the handle of the collection under this name."""
        return self._folder

    # ---------------------------------------------------------------------------------- reading
    def query(
        self,
        criteria: Document | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: dict[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[Document]:
        """Return the documents that satisfy a query, oldest change first unless sorted.

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
            If the folder cannot be read or the query cannot be evaluated.
        """
        found = (document for _, document in self._find(criteria))
        ordered = iter(sort_documents(list(found), sort)) if sort else found
        chosen = islice(ordered, skip, skip + limit if limit else None)
        return (project(document, properties) for document in chosen)

    def count(self, criteria: Document | None = None) -> int:
        """Return the number of documents that satisfy a query."""
        return sum(1 for _ in self._find(criteria)) if criteria else len(list(self._files()))

    def distinct(
        self,
        field: str,
        criteria: Document | None = None,
        all_exist: bool = False,  # noqa: ARG002, FBT001, FBT002 - maggma's signature
    ) -> list[Any]:
        """Return the different values of a field; a list counts as its items."""
        return distinct_values((document for _, document in self._find(criteria)), field)

    def groupby(
        self,
        keys: list[str] | str,
        criteria: Document | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: dict[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[tuple[Document, list[Document]]]:
        """Return groups of documents that agree in some fields; the others are left out."""
        names = [keys] if isinstance(keys, str) else keys
        wanted = [*names, *properties] if properties else properties
        yield from group_documents(self.query(criteria, wanted, sort, skip, limit), names)

    # ---------------------------------------------------------------------------------- writing
    def update(self, docs: list[Document] | Document, key: list[str] | str | None = None) -> None:
        """Write documents one by one; those with the same key are replaced.

        Parameters
        ----------
        docs
            One document or several.
        key
            The field or fields that identify a document; the key of the store when None.

        Raises
        ------
        StoreError
            If a document lacks the key, holds an array or cannot be JSON, or cannot be written.
        """
        names = [key] if isinstance(key, str) else (key or [self.key])
        for doc in docs if isinstance(docs, list) else [docs]:
            text = encode_document(doc, where=self.name)
            missing = next((name for name in (self.key, *names) if name not in doc), None)
            if missing is not None:
                raise StoreError(
                    f"{self.name}: a document with the fields {sorted(map(str, doc))} lacks the "
                    f"key field {missing!r}; add it or name another key"
                )
            self._write(decode_document(text), text, names)

    def _write(self, document: Document, text: str, names: list[str]) -> None:
        file = self._file(document[self.key])
        try:
            if names != [self.key]:
                identity = {name: document[name] for name in names}
                file = file.with_stem(f"{file.stem}-{self._digest(identity)[:16]}")
                for other, _ in self._find(identity):
                    if other != file:
                        other.unlink(missing_ok=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text.encode())
        except OSError as error:
            raise self._explained(error) from error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let one at a time read documents, change them and write them.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        with ExitStack() as held:
            try:
                held.enter_context(locked(self._folder / ".lock"))
            except OSError as error:
                raise self._explained(error) from error
            yield

    def remove_docs(self, criteria: Document) -> None:
        """Remove the documents that satisfy a query; an empty one means all."""
        for file, _ in self._find(criteria):
            file.unlink(missing_ok=True)

    def ensure_index(self, key: str, unique: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Do nothing, and return whether that was as good: only the key can be kept unique."""
        return not unique or key == self.key

    # ------------------------------------------------------------------------------------ files
    def _file(self, value: Any) -> Path:
        digest = self._digest({"": value})
        return self._folder / digest[:2] / f"{digest[:40]}{_SUFFIX}"

    def _digest(self, document: Document) -> str:
        return hashlib.sha256(encode_document(document, where=self.name).encode()).hexdigest()

    def _files(self) -> Iterator[Path]:
        yield from self._folder.glob(f"??/[!.]*{_SUFFIX}")

    def _find(self, criteria: Document | None) -> Iterator[tuple[Path, Document]]:
        """Yield file and content of each document that satisfies a query."""
        wanted = normalised(criteria)
        value = wanted.get(self.key)
        if isinstance(value, dict) and isinstance(value.get("$in"), list):
            values = value["$in"]
        else:
            values = [value]
        known = all(isinstance(one, str) for one in values)
        for file in chain.from_iterable(map(self._of_key, values)) if known else self._in_order():
            document = self._read(file)
            if document is not None and (not wanted or matches(wanted, document)):
                yield file, document

    def _of_key(self, value: str) -> list[Path]:
        """Return the files of a key: more than one where further fields identify documents."""
        file = self._file(value)
        return [file, *sorted(file.parent.glob(f"{file.stem}-*{_SUFFIX}"))]

    def _in_order(self) -> list[Path]:
        dated = []
        for file in self._files():
            try:
                dated.append((file.stat().st_mtime_ns, file))
            except FileNotFoundError:
                continue  # removed just now
        return [file for _, file in sorted(dated)]

    def _read(self, file: Path) -> Document | None:
        try:
            content: Document = decode_document(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._explained(error) from error
        except ValueError as error:
            raise StoreError(
                f"{file}: is no document ({error}); restore it from a backup, or remove it and run "
                "its job again"
            ) from error
        return content

    def _explained(self, error: OSError) -> StoreError:
        return StoreError(
            f"{error.filename or self._folder}: {error.strerror}; make {self.path} readable and "
            "writable for all workers, or free some space on its disk"
        )

    # --------------------------------------------------------------------------------- identity
    def __eq__(self, other: object) -> bool:
        return isinstance(other, FilesStore) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)
