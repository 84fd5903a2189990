from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import BlobError, ModelError, StoreError, UnknownNameError
from scdp_flows.schemas.training import ModelDoc
from scdp_flows.stores.models import ModelStore

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.stores.folder_blobs import FolderBlobStore
    from scdp_flows.stores.sqlite import SqliteStore


@pytest.fixture
def models(sqlite_store: SqliteStore, blobs: FolderBlobStore) -> ModelStore:
    """Give an empty store."""
    return ModelStore(sqlite_store, blobs)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Give a file that could be a checkpoint."""
    file = tmp_path / "last.safetensors"
    file.write_bytes(b"weights" * 1000)
    return file


def _doc(checkpoint: Path, name: str = "demo") -> ModelDoc:
    return ModelDoc.from_checkpoint(
        checkpoint, name=name, kind={}, kind_key="k", elements=["H"], metrics={"nmae_percent": 0.4}
    )


def test_a_checkpoint_comes_back(models: ModelStore, checkpoint: Path, tmp_path: Path) -> None:
    stored = models.put_checkpoint(checkpoint, _doc(checkpoint))
    for name in (stored.model_id, "demo"):
        file = models.fetch(name, tmp_path / "work")
        assert file.read_bytes() == checkpoint.read_bytes()
        assert file.suffix == ".safetensors"
    assert [doc.name for doc in models.query({"metrics.nmae_percent": {"$lt": 0.5}})] == ["demo"]


def test_a_file_that_is_there_is_not_written_again(
    models: ModelStore, checkpoint: Path, tmp_path: Path
) -> None:
    models.put_checkpoint(checkpoint, _doc(checkpoint))
    before = models.fetch("demo", tmp_path).stat().st_mtime_ns
    assert models.fetch("demo", tmp_path).stat().st_mtime_ns == before


def test_a_damaged_copy_is_replaced(models: ModelStore, checkpoint: Path, tmp_path: Path) -> None:
    models.put_checkpoint(checkpoint, _doc(checkpoint))
    file = models.fetch("demo", tmp_path)
    file.write_bytes(b"torn")
    assert models.fetch("demo", tmp_path).read_bytes() == checkpoint.read_bytes()


def test_of_one_name_the_newest_is_fetched(
    models: ModelStore, checkpoint: Path, tmp_path: Path
) -> None:
    models.put_checkpoint(checkpoint, _doc(checkpoint))
    checkpoint.write_bytes(b"better weights")
    models.put_checkpoint(checkpoint, _doc(checkpoint))
    assert models.fetch("demo", tmp_path).read_bytes() == b"better weights"


def test_a_file_that_changed_meanwhile_is_refused(models: ModelStore, checkpoint: Path) -> None:
    doc = _doc(checkpoint)
    checkpoint.write_bytes(b"later")
    with pytest.raises(ModelError, match="not the checkpoint that the document of 'demo'"):
        models.put_checkpoint(checkpoint, doc)
    assert list(models.blobs.iterate()) == []


def test_what_is_missing_is_named(models: ModelStore, checkpoint: Path, tmp_path: Path) -> None:
    doc = _doc(checkpoint)
    with pytest.raises(ModelError, match="nowhere"):
        models.put_checkpoint(tmp_path / "nowhere", doc)
    models.documents.put(doc)
    with pytest.raises(ModelError, match="without its checkpoint"):
        models.fetch("demo", tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown model 'dmeo'.*demo"):
        models.get("dmeo")


def test_a_lost_blob_and_a_bad_folder_are_named(
    models: ModelStore, checkpoint: Path, tmp_path: Path
) -> None:
    stored = models.put_checkpoint(checkpoint, _doc(checkpoint))
    with pytest.raises(StoreError, match="choose a folder that is writable"):
        models.fetch("demo", checkpoint / "sub")
    assert stored.blob is not None
    models.blobs.discard(stored.blob)
    with pytest.raises(BlobError, match=stored.model_id):
        models.fetch("demo", tmp_path)
