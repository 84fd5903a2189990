"""Tests of documents in files; their queries are tested with those of all stores."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.stores.document_files import FilesStore
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FilesStore]:
    """Give an empty store."""
    with FilesStore(tmp_path / "shared", key="name") as opened:
        yield opened


def test_writers_on_several_machines_lose_nothing(store: FilesStore) -> None:
    others = [FilesStore(store.path, key="name") for _ in range(4)]

    def write(number: int) -> None:
        others[number % 4].update({"name": f"{number % 40}", "value": number})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(80)))
    assert store.count() == 40
    assert {doc["value"] % 40 for doc in store.query()} == set(range(40))


def test_a_key_is_found_without_reading_the_others(
    store: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.update([{"name": "a"}, {"name": "b"}])
    monkeypatch.setattr(store, "_in_order", None)
    assert store.query_one({"name": "b"}) == {"name": "b"}
    assert store.query_one({"name": "c"}) is None


def test_what_a_killed_writer_left_is_no_document(store: FilesStore) -> None:
    store.update({"name": "a"})
    (next(store._files()).parent / ".tmp-1-ab").write_text("{")
    assert store.count() == len(list(store.query())) == 1


def test_a_damaged_file_is_named(store: FilesStore) -> None:
    store.update({"name": "a"})
    file = next(store._files())
    file.write_text('{"name"')
    with pytest.raises(StoreError, match=rf"{file}: is no document"):
        list(store.query())


def test_a_document_needs_its_key(store: FilesStore) -> None:
    with pytest.raises(StoreError, match="lacks the key field 'name'"):
        store.update({"value": 1})


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="readable and writable for all workers"):
        FilesStore(tmp_path / "file").connect()


def test_it_survives_serialisation(store: FilesStore) -> None:
    again = FilesStore.from_dict(json.loads(json.dumps(store.as_dict())))
    assert again == store
    assert hash(again) == hash(store)


def test_settings_put_all_documents_into_one_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DENSITY", "MODEL", "REPORT"):
        spec = {"type": "files", "path": str(tmp_path / "shared"), "collection_name": name.lower()}
        monkeypatch.setenv(f"SCDP_{name}_STORE", json.dumps(spec))
    with open_stores() as stores:
        assert stores.densities.count() == 0
    names = {folder.name for folder in (tmp_path / "shared").iterdir()}
    assert names == {"density", "density_datasets", "density_curation", "model", "report"}
    assert not (tmp_path / "scdp_data" / "scdp.sqlite").exists()
