"""What every store of documents and every store of blobs must do, run over all of them."""

from __future__ import annotations

import itertools
import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from maggma.core import Sort, Store
from maggma.stores import GridFSStore, MemoryStore, MongoStore, S3Store

from scdp_flows.errors import BlobError, ScdpFlowsError
from scdp_flows.stores.document_files import FilesStore
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.maggma_blobs import MaggmaBlobStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scdp_flows.stores.blobs import BlobStore

DOCS: list[dict[str, Any]] = [
    {
        "name": "water",
        "n": 3,
        "tags": ["demo", "small"],
        "kind": {"electrons": "valence", "code": "pyscf"},
        "members": [{"id": "a", "split": "train"}, {"id": "b", "split": "test"}],
        "energy": -17.2,
        "made": datetime(2026, 1, 1),  # noqa: DTZ001 - as MongoDB returns them
    },
    {
        "name": "ethanol",
        "n": 9,
        "tags": ["demo"],
        "kind": {"electrons": "valence", "code": "vasp"},
        "members": [{"id": "c", "split": "train"}],
        "energy": None,
        "made": datetime(2026, 1, 3),  # noqa: DTZ001
    },
    {
        "name": "iron",
        "n": 2,
        "tags": [],
        "kind": {"electrons": "all", "code": "vasp"},
        "members": [],
        "made": datetime(2026, 1, 2, tzinfo=UTC),
    },
]

# Query → names of the documents that it finds.
QUERIES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"water", "ethanol", "iron"}),
    ({"name": "water"}, {"water"}),
    ({"name": {"$eq": "water"}}, {"water"}),
    ({"n": 9}, {"ethanol"}),
    ({"n": 9.0}, {"ethanol"}),
    ({"name": "nothing"}, set()),
    ({"name": {"$in": ["water", "iron", "gold"]}}, {"water", "iron"}),
    ({"name": {"$in": []}}, set()),
    ({"name": {"$nin": ["water"]}}, {"ethanol", "iron"}),
    ({"name": {"$ne": "water"}}, {"ethanol", "iron"}),
    ({"n": {"$gt": 2, "$lte": 9}}, {"water", "ethanol"}),
    ({"energy": {"$exists": False}}, {"iron"}),
    ({"energy": None}, {"ethanol", "iron"}),
    ({"energy": {"$lt": 0}}, {"water"}),
    ({"tags": "demo"}, {"water", "ethanol"}),
    ({"tags": ["demo"]}, {"ethanol"}),
    ({"tags": {"$all": ["demo", "small"]}}, {"water"}),
    ({"tags": {"$size": 0}}, {"iron"}),
    ({"tags": {"$in": ["small", "large"]}}, {"water"}),
    ({"kind.code": "vasp"}, {"ethanol", "iron"}),
    ({"kind.code": "vasp", "kind.electrons": "all"}, {"iron"}),
    ({"kind": {"electrons": "all", "code": "vasp"}}, {"iron"}),
    ({"$and": [{"kind.code": "vasp"}, {"n": {"$gt": 2}}]}, {"ethanol"}),
    ({"$or": [{"name": "water"}, {"n": 2}]}, {"water", "iron"}),
    ({"$nor": [{"name": "water"}, {"n": 2}]}, {"ethanol"}),
    ({"name": {"$regex": "^(wat|eth)"}}, {"water", "ethanol"}),
    ({"name": {"$regex": "^WAT", "$options": "i"}}, {"water"}),
    ({"name": re.compile("ol$")}, {"ethanol"}),
    ({"n": {"$not": {"$gt": 2}}}, {"iron"}),
    ({"members.id": "b"}, {"water"}),
    ({"members.0.id": "c"}, {"ethanol"}),
    ({"members": {"$elemMatch": {"id": "a", "split": "train"}}}, {"water"}),
    ({"members": {"$elemMatch": {"id": "a", "split": "test"}}}, set()),
    ({"n": {"$gte": 3, "$lt": 9}}, {"water"}),
    ({"n": {"$gt": 2.5}}, {"water", "ethanol"}),
    ({"energy": {"$gte": -17.2}}, {"water"}),
    ({"name": {"$gte": "f", "$lt": "j"}}, {"iron"}),
    ({"energy": {"$type": "double"}}, {"water"}),
    ({"energy": {"$in": [None, -17.2]}}, {"water", "ethanol", "iron"}),
    ({"energy": {"$exists": True, "$ne": None}}, {"water"}),
    ({"tags": {"$not": {"$size": 2}}}, {"ethanol", "iron"}),
    ({"tags": {"$ne": "small"}}, {"ethanol", "iron"}),
    ({"tags": {"$nin": ["demo"]}}, {"iron"}),
    ({"tags": {"$exists": True, "$ne": []}}, {"water", "ethanol"}),
    ({"tags.0": "demo"}, {"water", "ethanol"}),
    ({"members.split": {"$ne": "test"}}, {"ethanol", "iron"}),
    ({"members": {"$size": 1}, "tags": "demo"}, {"ethanol"}),
    ({"kind.spin": {"$exists": False}}, {"water", "ethanol", "iron"}),
    ({"kind.code": {"$in": ["pyscf", "abinit"]}, "n": {"$lt": 5}}, {"water"}),
    ({"$or": [{"tags": "small"}, {"kind.electrons": "all"}], "n": {"$lte": 3}}, {"water", "iron"}),
    ({"$and": [{"$or": [{"n": 2}, {"n": 3}]}, {"tags": {"$in": ["demo"]}}]}, {"water"}),
    ({"name": {"$not": {"$regex": "o"}}}, {"water"}),
    ({"made": {"$lt": datetime(2026, 1, 2, tzinfo=UTC)}}, {"water"}),
    ({"made": {"$gte": datetime(2026, 1, 2, tzinfo=UTC)}}, {"ethanol", "iron"}),
]


def _mongomock_store() -> Store:
    """Give a MongoStore on a collection of mongomock, in this process."""
    memory = MemoryStore("docs")
    memory.connect()
    store: Store = MongoStore.from_collection(memory._collection)
    return store


def _served(port: int, kind: type[MongoStore | GridFSStore], name: str, key: str) -> Store:
    """Give a store behind a socket, in a database of its own."""
    database = f"test{next(_DATABASES)}-{os.getpid()}"
    store: Store = kind(database, name, host="127.0.0.1", port=port, key=key)
    return store


def _bucket(folder: Path, port: int) -> S3Store:
    """Give a part of a bucket, with its index in SQLite."""
    return S3Store(
        SqliteStore(folder / "index.sqlite", key="blob_key"),
        "blobs",
        endpoint_url=f"http://127.0.0.1:{port}",
        s3_profile={
            "aws_access_key_id": "anyone",
            "aws_secret_access_key": "anything",
            "region_name": "us-east-1",
        },
        sub_dir=f"test{next(_DATABASES)}-{os.getpid()}",
        key="blob_key",
    )


_DATABASES = itertools.count()
STORES: dict[str, Callable[[Path, int], Store]] = {
    "MemoryStore": lambda _, __: MemoryStore("docs", key="name"),
    "mongomock": lambda _, __: _mongomock_store(),
    "MongoStore": lambda _, port: _served(port, MongoStore, "docs", "name"),
    "SqliteStore": lambda folder, _: SqliteStore(folder / "docs.sqlite", key="name"),
    "FilesStore": lambda folder, _: FilesStore(folder / "docs", key="name"),
}
BLOB_STORES: dict[str, Callable[[Path, int], BlobStore]] = {
    "folder": lambda folder, _: FolderBlobStore(folder / "blobs"),
    "memory": lambda _, __: MaggmaBlobStore(MemoryStore(key="blob_key")),
    "sqlite": lambda folder, _: MaggmaBlobStore(SqliteStore(folder / "b.sqlite", key="blob_key")),
    "mongo": lambda _, port: MaggmaBlobStore(_served(port, MongoStore, "blobs", "blob_key")),
    "gridfs": lambda _, port: MaggmaBlobStore(_served(port, GridFSStore, "blobs", "blob_key")),
    "s3": lambda folder, port: MaggmaBlobStore(_bucket(folder, port)),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, mongo_port: int) -> Iterator[Store]:
    """Give each kind of store with the three documents in it."""
    opened = STORES[request.param](tmp_path, mongo_port)
    opened.key, opened.last_updated_field = "name", "made"
    with opened:
        opened.update(DOCS)
        yield opened


@pytest.fixture(params=BLOB_STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    """Give each kind of blob store, empty."""
    port = request.getfixturevalue("s3_port" if request.param == "s3" else "mongo_port")
    opened = BLOB_STORES[request.param](tmp_path, port)
    if isinstance(opened, MaggmaBlobStore):
        opened.store.connect()
    yield opened
    if isinstance(opened, MaggmaBlobStore):
        opened.store.close()


def _plain(doc: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in doc.items() if k != "_id"}


# ------------------------------------------------------------------------------------ documents
def _id(value: Any) -> str:
    """Name a case in the same way in every process, whatever the order of a set."""
    return "+".join(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize(("criteria", "names"), QUERIES, ids=_id)
def test_query(store: Store, criteria: dict[str, Any], names: set[str]) -> None:
    assert {doc["name"] for doc in store.query(criteria)} == names
    assert store.count(criteria) == len(names)


@pytest.mark.parametrize(("criteria", "names"), QUERIES, ids=_id)
def test_an_index_changes_no_answer(
    store: Store, criteria: dict[str, Any], names: set[str]
) -> None:
    for field in ("n", "tags", "kind.code", "members.id", "energy", "made"):
        assert store.ensure_index(field)
    assert {doc["name"] for doc in store.query(criteria)} == names


def test_get_returns_what_was_put(store: Store) -> None:
    found = _plain(store.query_one({"name": "water"}))
    assert found == DOCS[0]
    assert store.query_one({"name": "gold"}) is None


def test_the_same_key_is_the_same_document(store: Store) -> None:
    store.update({"name": "water", "n": 4})
    assert store.count() == 3
    assert _plain(store.query_one({"name": "water"})) == {"name": "water", "n": 4}


def test_a_document_is_identified_by_several_fields(store: Store) -> None:
    store.update({"name": "water", "n": 4}, key=["name", "n"])
    store.update({"name": "water", "n": 4, "again": True}, key=["name", "n"])
    assert store.count({"name": "water"}) == 2


def test_sort_skip_and_limit(store: Store) -> None:
    names = [doc["name"] for doc in store.query(sort={"n": -1})]
    assert names == ["ethanol", "water", "iron"]
    some = [doc["name"] for doc in store.query(sort={"n": Sort.Ascending}, skip=1, limit=1)]
    assert some == ["water"]
    by_two = [doc["name"] for doc in store.query(sort={"kind.code": -1, "n": 1})]
    assert by_two == ["iron", "ethanol", "water"]


def test_missing_values_sort_first(store: Store) -> None:
    assert [doc["name"] for doc in store.query(sort={"energy": -1}, limit=1)] == ["water"]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (["n"], {"n": 3}),
        ({"n": 1, "kind.code": 1}, {"n": 3, "kind": {"code": "pyscf"}}),
        (["members.id"], {"members": [{"id": "a"}, {"id": "b"}]}),
        (
            {"members": 0, "made": 0, "kind": 0, "tags": 0, "energy": 0},
            {"name": "water", "n": 3},
        ),
    ],
)
def test_projection(store: Store, properties: Any, expected: dict[str, Any]) -> None:
    assert _plain(store.query_one({"name": "water"}, properties=properties)) == expected


def test_distinct_takes_lists_apart(store: Store) -> None:
    assert set(store.distinct("tags")) == {"demo", "small"}
    assert set(store.distinct("kind.code", {"n": {"$gt": 2}})) == {"pyscf", "vasp"}
    assert set(store.distinct("members.id")) == {"a", "b", "c"}
    assert store.distinct("nothing") == []


@pytest.mark.filterwarnings("ignore:'allowDiskUse' is accepted:UserWarning")  # says mongomock
def test_groups(store: Store) -> None:
    groups = {
        label["kind"]["code"]: {doc["name"] for doc in docs}
        for label, docs in store.groupby("kind.code", properties=["name"])
    }
    assert groups == {"pyscf": {"water"}, "vasp": {"ethanol", "iron"}}


def test_remove(store: Store) -> None:
    store.remove_docs({"kind.code": "vasp"})
    assert [doc["name"] for doc in store.query()] == ["water"]


def test_the_time_of_the_last_change(store: Store) -> None:
    assert store.last_updated == datetime(2026, 1, 3)  # noqa: DTZ001
    older = MemoryStore("older", key="name", last_updated_field="made")
    with older:
        older.update([{"name": "water", "made": datetime(2026, 1, 2)}])  # noqa: DTZ001
        assert older.newer_in(store) == ["ethanol"]


# ---------------------------------------------------------------------------------------- blobs
ARRAYS = {
    "values": np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5),
    "origin": np.array([0.0, 1e-300, -2.5]),
    "numbers": np.array([8, 1, 1]),
    "flags": np.array([True, False]),
    "scalar": np.array(3.0),
    "empty": np.zeros((0, 3)),
}


def test_arrays_come_back_exactly(blobs: BlobStore) -> None:
    found = blobs.get_arrays(blobs.put_arrays(ARRAYS))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_bytes_come_back_exactly(blobs: BlobStore) -> None:
    for payload in (b"", b"x", bytes(range(256)) * 100):
        assert blobs.get(blobs.put(payload)) == payload


def test_the_same_content_is_stored_once(blobs: BlobStore) -> None:
    first = blobs.put_arrays(ARRAYS)
    assert blobs.put_arrays(dict(reversed(ARRAYS.items()))) == first
    assert list(blobs.iterate()) == [first.key]


def test_what_nobody_used_goes_and_what_was_used_stays(blobs: BlobStore) -> None:
    first, second = blobs.put(b"electrons"), blobs.put(b"positions")
    start = blobs.clock()
    entries = {blob.key: blob for blob in blobs.entries()}
    assert abs(blobs.last_used(entries[first.key]) - start) < 60
    assert not blobs.discard_unused(entries[first.key], since=start - 60)
    assert blobs.get(first) == b"electrons"
    assert blobs.discard_unused(entries[first.key], since=start + 60)
    assert not blobs.has(first)
    assert blobs.last_used(entries[first.key]) == float("inf")
    blobs.keep(second)
    with pytest.raises(BlobError, match="is not in"):
        blobs.keep(first)


def test_a_second_put_repairs_a_damaged_blob(blobs: BlobStore) -> None:
    reference = blobs.put(b"electrons" * 9)
    blobs._write(reference.key, reference.compression, b"something else")
    assert not blobs.is_whole(reference)
    with pytest.raises(BlobError, match="damaged"):
        blobs.get(reference)
    assert blobs.put(b"electrons" * 9) == reference
    assert blobs.get(reference) == b"electrons" * 9


def test_a_removed_blob_leaves_nothing_in_a_bucket(tmp_path: Path, s3_port: int) -> None:
    with _bucket(tmp_path, s3_port) as store:
        blobs = MaggmaBlobStore(store)
        blobs.put(b"electrons")
        blobs.discard(blobs.put(b"positions"))
        assert len(list(store.s3_bucket.objects.filter(Prefix=store.sub_dir))) == 1


def test_a_missing_blob_is_named_with_the_fix(blobs: BlobStore) -> None:
    reference = blobs.put(b"gone")
    blobs.discard(reference)
    blobs.discard(reference)
    with pytest.raises(BlobError, match=rf"{reference.key} is not in .*make its document anew"):
        blobs.get(reference)
    assert issubclass(BlobError, ScdpFlowsError)


def test_a_reference_that_lies_about_the_size_is_refused(blobs: BlobStore) -> None:
    reference = blobs.put(bytes(10_000))
    for size in (9_999, 10_001):
        with pytest.raises(BlobError, match="damaged"):
            blobs.get(reference.updated(size=size))
