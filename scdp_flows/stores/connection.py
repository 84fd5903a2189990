"""Hold the connection of one process to one SQLite file and explain what goes wrong with it."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from scdp_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BUSY_TIMEOUT_S", "SqliteFile"]

BUSY_TIMEOUT_S = 60.0

# A connection must not be used, nor even closed, on the other side of a fork. Keeping the reference
# for ever keeps the garbage collector from closing it.
_inherited: list[sqlite3.Connection] = []


@dataclass
class _Handle:
    """One connection, the process that opened it and the lock of its threads."""

    connection: sqlite3.Connection
    process: int = field(default_factory=os.getpid)
    lock: RLock = field(default_factory=RLock)


class SqliteFile:
    """Open an SQLite file so that threads, forks and several processes can share it.

    All threads of a process use one connection, in turn; a forked child opens its own. The file is
    in write-ahead mode, in which readers and one writer do not wait for each other, and a killed
    writer leaves what it committed and nothing else. Write-ahead mode needs a local disk: do not
    put the file on NFS.

    Parameters
    ----------
    path
        The file; it and its folder are made when missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._handle: _Handle | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file was opened and not closed since."""
        return self._handle is not None

    def open(self) -> None:
        """Open the file, and make it when it is missing.

        Raises
        ------
        StoreError
            If the folder cannot be written or the file is no SQLite database.
        """
        if self._handle is not None and self._handle.process == os.getpid():
            return
        self._forget_inherited()
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Autocommit: transactions are begun and ended explicitly, below. Several threads may
            # use the connection because the lock lets in one at a time.
            connection = sqlite3.connect(
                self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                _prepare(connection)
            except sqlite3.Error:
                connection.close()
                raise
        self._handle = _Handle(connection)

    def close(self) -> None:
        """Close the connection of this process; closing twice is harmless."""
        self._forget_inherited()
        if self._handle is not None:
            with self._handle.lock:
                self._handle.connection.close()
        self._handle = None

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file for the time of a block and lend the connection, for reading.

        Raises
        ------
        StoreError
            If the file cannot be opened or read.
        """
        self.open()
        try:
            with self.reading() as connection:
                yield connection
        finally:
            self.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection for statements that fetch all their rows before the block ends.

        Raises
        ------
        StoreError
            If the file is not open or cannot be read.
        """
        handle = self._own_handle()
        with handle.lock, self._explained():
            yield handle.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection inside one transaction, which holds wholly or not at all.

        A block inside another belongs to the transaction of the outer one.

        Raises
        ------
        StoreError
            If the file is not open or cannot be written.
        """
        with self.reading() as connection:
            if connection.in_transaction:
                yield connection
                return
            # Taking the write lock at once, not at the first write, is what makes waiting for
            # another writer safe: what was read before a write can then not be out of date.
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back by itself after some errors, such as a full disk.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _own_handle(self) -> _Handle:
        if self._handle is None:
            raise StoreError(f"{self.path}: the store is not connected; call connect() first")
        if self._handle.process != os.getpid():
            self.open()
        return self._handle

    def _forget_inherited(self) -> None:
        if self._handle is not None and self._handle.process != os.getpid():
            _inherited.append(self._handle.connection)
            self._handle = None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}; {_remedy(error, self.path)}") from error
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot make the folder: {error.strerror}; choose another folder "
                "with SCDP_STORE_PATH or make this one writable"
            ) from error


def _prepare(connection: sqlite3.Connection) -> None:
    # Two processes that open a new file at the same moment both want to switch it to write-ahead
    # mode, and SQLite tells the second one at once that the file is locked, without waiting.
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    # A finished label is worth more than the millisecond that a flush to disk takes.
    connection.execute("PRAGMA synchronous=FULL")


def _remedy(error: sqlite3.Error, path: Path) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return (
            "the file is damaged or no SQLite database; restore it from a backup, or move it away "
            "and a new one is made"
        )
    if "locked" in text or "busy" in text:
        return (
            f"another process has held it for more than {BUSY_TIMEOUT_S:.0f} s; stop that process"
        )
    if "full" in text or "disk I/O" in text:
        return f"free some space on the disk of {path.parent}; if it has some, look at the disk"
    if "readonly" in text or "unable to open" in text or "authorized" in text:
        return (
            f"the file and its folder {path.parent} must be writable; choose another folder with "
            "SCDP_STORE_PATH or change the permissions"
        )
    if isinstance(error, sqlite3.IntegrityError):
        return "another document has the same value in a field with a unique index"
    return "if this is no obvious mistake, check the file with: sqlite3 FILE 'PRAGMA quick_check'"
