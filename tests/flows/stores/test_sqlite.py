from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobflow import Flow, JobStore, job, run_locally
from maggma.core import Validator
from monty.json import MontyDecoder

from scdp_flows.errors import StoreError
from scdp_flows.stores.sqlite import SqliteStore

WRITER = """
import sys
from scdp_flows.stores.sqlite import SqliteStore
path, label, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
with SqliteStore(path, "docs", key="name") as store:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(number):
        store.update({"name": f"{label}-{n}", "text": "x" * 5000})
        print(n, flush=True)
"""


def _writer(store: SqliteStore, label: str, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, store.path, label, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def _tell_to_start(*writers: subprocess.Popen[str]) -> None:
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()


def test_two_processes_write_at_once(sqlite_store: SqliteStore) -> None:
    writers = [_writer(sqlite_store, label, 25) for label in "ab"]
    _tell_to_start(*writers)
    assert [writer.communicate()[0].count("\n") for writer in writers] == [25, 25]
    names = {doc["name"] for doc in sqlite_store.query(properties=["name"])}
    assert names == {f"{label}-{n}" for label in "ab" for n in range(25)}


def test_a_killed_writer_loses_nothing_that_it_had_written(sqlite_store: SqliteStore) -> None:
    writer = _writer(sqlite_store, "a", 100_000)
    _tell_to_start(writer)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline() for _ in range(25)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    found = {doc["name"] for doc in sqlite_store.query()}
    assert {f"a-{n.strip()}" for n in acknowledged} <= found
    # At most the document in flight is there without having been acknowledged.
    assert len(found) <= len(acknowledged) + 1
    sqlite_store.update({"name": "after"})


def test_it_survives_json_and_pickle(sqlite_store: SqliteStore) -> None:
    sqlite_store.update({"name": "a"})
    plain = json.loads(json.dumps(sqlite_store.as_dict()))
    for copy in (MontyDecoder().process_decoded(plain), pickle.loads(pickle.dumps(sqlite_store))):  # noqa: S301
        assert copy == sqlite_store
        assert hash(copy) == hash(sqlite_store)
        assert copy.key == "name"
        with copy:
            assert copy.count() == 1


def test_other_collections_and_files_are_other_stores(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a", "docs")
    assert store != SqliteStore(tmp_path / "a", "other")
    assert store != SqliteStore(tmp_path / "b", "docs")
    assert store != "docs"
    assert store.name == f"sqlite://{tmp_path}/a/docs"


def test_the_path_does_not_depend_on_the_folder_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert SqliteStore("a.sqlite").path == str(tmp_path / "a.sqlite")


def test_collections_share_a_file(sqlite_store: SqliteStore) -> None:
    with SqliteStore(sqlite_store.path, "other", key="name") as other:
        sqlite_store.update({"name": "a"})
        other.update([{"name": "a"}, {"name": "b"}])
        assert (sqlite_store.count(), other.count()) == (1, 2)


def test_arrays_are_refused_and_nothing_is_written(sqlite_store: SqliteStore) -> None:
    good, bad = {"name": "a"}, {"name": "b", "grid": {"values": np.zeros(3)}}
    with pytest.raises(StoreError, match=r"docs: field 'grid\.values' is an array.*blob"):
        sqlite_store.update([good, bad])
    assert sqlite_store.count() == 0


def test_a_document_without_its_key_is_refused(sqlite_store: SqliteStore) -> None:
    with pytest.raises(StoreError, match=r"\['energy'\] lacks the key field 'name'"):
        sqlite_store.update({"energy": 1.0})
    with pytest.raises(StoreError, match="'index'"):
        sqlite_store.update({"name": "a"}, key=["name", "index"])


def test_a_store_must_be_connected(sqlite_store: SqliteStore) -> None:
    sqlite_store.close()
    for call in (sqlite_store.query, sqlite_store.count):
        with pytest.raises(StoreError, match=r"call connect\(\) first"):
            call()
    with pytest.raises(StoreError, match=r"call connect\(\) first"):
        sqlite_store.update({"name": "a"})
    sqlite_store.connect(force_reset=True)
    assert sqlite_store.count() == 0


def test_only_what_is_asked_for_is_decoded(sqlite_store: SqliteStore) -> None:
    sqlite_store.update([{"name": str(n), "n": n} for n in range(1000)])
    found = sqlite_store.query({"n": {"$gte": 3}}, skip=2, limit=3)
    assert [doc["n"] for doc in found] == [5, 6, 7]


class _Positive(Validator):
    """Accept documents whose field ``n`` is positive."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict

    def is_valid(self, doc: dict[str, Any]) -> bool:
        return bool(doc["n"] > 0)

    def validation_errors(self, doc: dict[str, Any]) -> list[str]:
        return [f"n is {doc['n']}"]


def test_a_validator_leaves_out_or_refuses(tmp_path: Path) -> None:
    docs = [{"name": "a", "n": 1}, {"name": "b", "n": -1}]
    with SqliteStore(tmp_path / "a", key="name", validator=_Positive(strict=False)) as store:
        store.update(docs)
        assert [doc["name"] for doc in store.query()] == ["a"]
        store.validator = _Positive(strict=True)
        with pytest.raises(StoreError, match="n is -1"):
            store.update(docs)


@job(data="big")
def _make(n: int) -> dict[str, Any]:
    return {"n": n, "big": list(range(n))}


@job
def _total(made: dict[str, Any]) -> int:
    return sum(made["big"])


def test_jobflow_runs_on_it(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite"
    store = JobStore(SqliteStore(file, "outputs"), {"data": SqliteStore(file, "data")})
    first = _make(1000)
    second = _total(first.output)
    run_locally(Flow([first, second]), store=store, ensure_success=True, log=False)
    again = JobStore.from_dict(json.loads(json.dumps(store.as_dict())))
    assert isinstance(again, JobStore)
    with again:
        assert again.get_output(second.uuid) == 499500
        row = again.query_one({"uuid": first.uuid})
        assert row is not None
        assert "blob_uuid" in row["output"]["big"]
        assert again.get_output(first.uuid, load=True)["big"][-1] == 999
