from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.stores.connection import SqliteFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    """Give an open file with a table of numbers."""
    opened = SqliteFile(tmp_path / "deep" / "er" / "a.sqlite")
    opened.open()
    with opened.writing() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER UNIQUE)")
    yield opened
    opened.close()


def _insert(file: SqliteFile, *numbers: int) -> None:
    with file.writing() as connection:
        connection.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in numbers])


def _count(file: SqliteFile) -> int:
    with file.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])


def test_the_file_is_in_write_ahead_mode(file: SqliteFile) -> None:
    with file.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (60_000,)


def test_a_transaction_holds_wholly_or_not_at_all(file: SqliteFile) -> None:
    with pytest.raises(StoreError, match="unique index"):
        _insert(file, 1, 2, 3, 1)
    assert _count(file) == 0
    _insert(file, 1, 2)
    assert _count(file) == 2


def test_a_block_inside_another_is_part_of_it(file: SqliteFile) -> None:
    def insert_both(first: int, second: int) -> None:
        with file.writing():
            _insert(file, first)
            _insert(file, second)

    with pytest.raises(StoreError, match="unique index"):
        insert_both(7, 7)
    assert _count(file) == 0
    insert_both(7, 8)
    assert _count(file) == 2


def test_an_interruption_rolls_back(file: SqliteFile) -> None:
    def interrupted(number: int) -> None:
        with file.writing() as connection:
            connection.execute("INSERT INTO numbers VALUES (?)", (number,))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(1)
    assert _count(file) == 0


def test_threads_take_turns(file: SqliteFile) -> None:
    def insert_ten(start: int) -> None:
        for number in range(start, start + 10):
            _insert(file, number)

    threads = [threading.Thread(target=insert_ten, args=(100 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(file) == 40


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12
def test_a_forked_child_opens_its_own_connection(file: SqliteFile) -> None:
    _insert(file, 1)
    child = multiprocessing.get_context("fork").Process(target=_insert, args=(file, 2))
    child.start()
    child.join()
    assert child.exitcode == 0
    _insert(file, 3)
    assert _count(file) == 3


def test_a_closed_file_says_so(file: SqliteFile) -> None:
    file.close()
    file.close()
    assert not file.is_open
    with pytest.raises(StoreError, match=r"call connect\(\) first"):
        _count(file)


def test_a_damaged_file_is_named_with_the_fix(tmp_path: Path) -> None:
    damaged = tmp_path / "a.sqlite"
    damaged.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match=rf"{damaged}: .*damaged.*restore it from a backup"):
        SqliteFile(damaged).open()
    assert damaged.read_bytes().startswith(b"this")


def test_a_file_that_is_damaged_later_is_named_too(file: SqliteFile) -> None:
    _insert(file, *range(5000))
    file.close()
    data = file.path.read_bytes()
    file.path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    file.open()
    with pytest.raises(StoreError, match="damaged"):
        _insert(file, 10**6)


def test_an_unwritable_folder_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=rf"{tmp_path}/file/a.sqlite.*SCDP_STORE_PATH"):
        SqliteFile(tmp_path / "file" / "a.sqlite").open()


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("attempt to write a readonly database", "must be writable"),
        ("unable to open database file", "must be writable"),
        ("database or disk is full", "free some space"),
        ("database is locked", "stop that process"),
        ("something new", "quick_check"),
    ],
)
def test_each_failure_has_its_advice(file: SqliteFile, message: str, advice: str) -> None:
    with pytest.raises(StoreError, match=f"{message}.*{advice}"), file.reading():
        raise sqlite3.OperationalError(message)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # Python 3.12
def test_many_processes_can_make_the_same_file_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=SqliteFile(tmp_path / "new.sqlite").open) for _ in range(8)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 8
