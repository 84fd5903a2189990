from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest
from jobflow import job, run_locally
from maggma.stores import MemoryStore, MongoStore, S3Store

from scdp_flows.errors import SettingsError, StoreError
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.factory import job_store, open_stores, store_from_spec
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.maggma_blobs import MaggmaBlobStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Arrays = dict[str, dict[str, "NDArray[Any]"]]


def test_everything_lies_in_one_folder(
    tmp_path: Path, density_doc: DensityDoc, arrays: Arrays
) -> None:
    with open_stores(tmp_path / "data") as stores:
        stores.densities.put(density_doc, arrays)
        assert stores.path == tmp_path / "data"
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"scdp.sqlite", "blobs"}
    with open_stores(tmp_path / "data") as again:
        doc = again.densities.get(density_doc.density_id)
        assert again.densities.load_arrays(doc, "grid")["values"].shape == (4, 5, 6)


def test_the_settings_say_where(tmp_path: Path) -> None:
    with open_stores() as stores:
        assert stores.path == tmp_path / "scdp_data"
        assert stores.densities.count() == 0


def _count_in_worker(path: str) -> int:
    with open_stores(path) as stores:
        return stores.densities.count()


def test_workers_open_the_same_stores(tmp_path: Path, density_doc: DensityDoc) -> None:
    with open_stores(tmp_path) as stores:
        stores.densities.put(density_doc)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(_count_in_worker, str(tmp_path)).result() == 1


def test_stores_of_other_kinds_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemoryStore("densities").as_dict()
    monkeypatch.setenv("SCDP_DENSITY_STORE", json.dumps(memory, default=lambda e: e.value))
    monkeypatch.setenv("SCDP_REPORT_STORE", '{"type": "MemoryStore"}')
    monkeypatch.setenv("SCDP_BLOB_STORE", '{"type": "MemoryStore"}')
    with open_stores() as stores:
        assert isinstance(stores.densities.documents.store, MemoryStore)
        assert stores.datasets.documents.store.name == "mem://densities_datasets"
        assert isinstance(stores.models.documents.store, SqliteStore)
        assert isinstance(stores.reports.seeds.store, MemoryStore)
        assert isinstance(stores.blobs, MaggmaBlobStore)
        assert stores.blobs.get(stores.blobs.put(b"x")) == b"x"


def test_blobs_may_lie_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"type": "folder", "path": str(tmp_path / "big")}
    monkeypatch.setenv("SCDP_BLOB_STORE", json.dumps(spec))
    with open_stores() as stores:
        assert isinstance(stores.blobs, FolderBlobStore)
        assert stores.blobs.path == tmp_path / "big"


def test_a_path_overrides_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_DENSITY_STORE", '{"type": "MemoryStore"}')
    with open_stores(tmp_path) as stores:
        assert isinstance(stores.densities.documents.store, SqliteStore)


def test_specs_name_stores_of_maggma_and_of_plugins(tmp_path: Path) -> None:
    mongo = store_from_spec({"type": "MongoStore", "database": "d", "collection_name": "c"})
    assert isinstance(mongo, MongoStore)
    sqlite = SqliteStore(tmp_path / "a", "docs", key="name")
    spec = {"type": "sqlite", "path": sqlite.path, "collection_name": "docs"}
    assert store_from_spec(spec) == sqlite
    assert store_from_spec(sqlite.as_dict()) == sqlite


def test_a_bucket_is_given_with_its_index(tmp_path: Path) -> None:
    index = {"type": "sqlite", "path": str(tmp_path / "i.sqlite"), "key": "blob_key"}
    store = store_from_spec(
        {"type": "S3Store", "bucket": "blobs", "key": "blob_key", "index": index}
    )
    assert isinstance(store, S3Store)
    assert store.index == SqliteStore(tmp_path / "i.sqlite", key="blob_key")
    with pytest.raises(SettingsError, match="unknown store type 'SQL'"):
        store_from_spec({"type": "S3Store", "bucket": "blobs", "index": {"type": "SQL"}})


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"type": "MemroyStore"}, "'MemroyStore'.*MemoryStore"),
        ({"type": "MongoStore"}, "cannot be built.*correct its arguments"),
        ({"type": "MemoryStore", "colour": "red"}, "cannot be built"),
        ({"@module": "maggma.stores", "@class": "NoStore"}, "no maggma store"),
        ({"@module": "no.such.module", "@class": "Store"}, "no maggma store"),
        ({}, "unknown store type ''"),
    ],
)
def test_impossible_specs_are_explained(spec: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        store_from_spec(spec)


def test_messages_hold_no_passwords() -> None:
    spec = {"type": "MongoStore", "password": "hunter2", "uri": "mongodb://me:hunter2@host"}
    with pytest.raises(SettingsError) as caught:
        store_from_spec({**spec, "nonsense": 1})
    assert "hunter2" not in str(caught.value)


def test_an_unwritable_place_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="SCDP_STORE_PATH"):
        open_stores(tmp_path / "file")


@job(output_schema=DensityDoc)
def _label(doc: DensityDoc) -> DensityDoc:
    return doc.updated(tags=["labelled"])


@job
def _formula(doc: DensityDoc) -> str:
    return f"{doc.formula} {doc.tags[0]}"


def test_documents_travel_between_jobs(tmp_path: Path, density_doc: DensityDoc) -> None:
    first = _label(density_doc)
    second = _formula(first.output)
    store = job_store(tmp_path)
    run_locally([first, second], store=store, ensure_success=True, log=False)
    with job_store(tmp_path) as again:
        assert again.get_output(second.uuid) == "H2O labelled"
        assert "data" in again.additional_stores
        stored = again.get_output(first.uuid)
    assert DensityDoc.model_validate(stored).tags == ["labelled"]
