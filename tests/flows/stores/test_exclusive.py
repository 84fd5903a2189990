"""Several writers change one document, and nothing that one of them says is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from maggma.stores import MemoryStore, MongoStore

from scdp_flows.errors import UnknownNameError
from scdp_flows.stores.densities import DensityStore
from scdp_flows.stores.document_files import FilesStore
from scdp_flows.stores.exclusive import replaced
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.stores.folder_blobs import FolderBlobStore

_N = 4


def _store(kind: str, folder: Path, request: pytest.FixtureRequest) -> Any:
    if kind == "sqlite":
        return SqliteStore(folder / "a.sqlite", key="density_id")
    if kind == "files":
        return FilesStore(folder, key="density_id")
    port = request.getfixturevalue("mongo_port")
    return MongoStore(folder.name, "densities", "127.0.0.1", port, key="density_id")


@pytest.fixture(params=["sqlite", "files", "server"])
def writers(
    request: pytest.FixtureRequest, tmp_path: Path, blobs: FolderBlobStore
) -> Iterator[list[DensityStore]]:
    """Give connections of several processes to one store."""
    with ExitStack() as opened:
        stores = [_store(request.param, tmp_path, request) for _ in range(_N)]
        yield [DensityStore(opened.enter_context(store), blobs) for store in stores]


def _together(writers: list[DensityStore], act: Callable[[DensityStore, int], Any]) -> None:
    with ThreadPoolExecutor(_N) as pool:
        list(pool.map(lambda number: act(writers[number % _N], number), range(5 * _N)))


def test_all_tags_of_a_density_stay(writers: list[DensityStore], density_doc: DensityDoc) -> None:
    writers[0].put(density_doc.updated(tags=["old"]))
    _together(writers, lambda one, number: one.tag(density_doc.density_id, [f"{number:02}"]))
    assert writers[0].get(density_doc.density_id).tags == [*(f"{n:02}" for n in range(20)), "old"]
    writers[1].tag(density_doc.density_id, [], remove=["old", "07"])
    assert len(writers[0].get(density_doc.density_id).tags) == 19
    with pytest.raises(UnknownNameError):
        writers[0].tag("nobody", ["a"])


def test_all_who_store_a_density_leave_their_tags(
    writers: list[DensityStore], density_doc: DensityDoc
) -> None:
    def put(one: DensityStore, number: int) -> None:
        one.put(density_doc.updated(tags=[f"{number:02}"], energy_ev=-number), keep_tags=True)

    _together(writers, put)
    assert writers[0].count() == 1
    assert len(writers[0].get(density_doc.density_id).tags) == 20


def test_a_server_compares_before_it_writes(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with _store("server", tmp_path, request) as store:
        first = {"density_id": "a", "query": {"$in": [1]}}
        assert replaced(store, None, first, "density_id")
        assert not replaced(store, None, first, "density_id")
        stored = store.query_one()
        assert replaced(store, stored, {"density_id": "a", "n": 1}, "density_id")
        assert not replaced(store, stored, {"density_id": "a", "n": 2}, "density_id")
        assert [row["n"] for row in store.query()] == [1]


def test_collections_in_memory_are_written_as_ever(density_doc: DensityDoc, blobs: Any) -> None:
    with MemoryStore(key="density_id") as store:
        densities = DensityStore(store, blobs)
        densities.put(density_doc, keep_tags=True)
        assert "new" in densities.tag(density_doc.density_id, ["new"]).tags
