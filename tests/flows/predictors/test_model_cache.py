"""A model is fetched once per machine, checked, and makes room for others."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scdp_flows.predictors import checkpoints
from scdp_flows.predictors.checkpoints import find_checkpoint
from scdp_flows.predictors.model_cache import fetched_before, make_room
from scdp_flows.schemas.training import ModelDoc, file_sha256
from scdp_flows.stores.blobs import BlobStore
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model_id(tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the identifier of a model in a store that is not the embedded one."""
    spec = {"type": "files", "path": str(tmp_path / "shared"), "collection_name": "models"}
    monkeypatch.setenv("SCDP_MODEL_STORE", json.dumps(spec))
    doc = ModelDoc.from_checkpoint(
        tiny_checkpoint, name="mine", kind={}, kind_key="k", elements=["H"]
    )
    with open_stores() as stores:
        return stores.models.put_checkpoint(tiny_checkpoint, doc).model_id


def test_a_model_is_fetched_once_and_then_needs_no_store(
    model_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = find_checkpoint(model_id)
    assert file.parent == tmp_path / "scdp_cache"
    monkeypatch.setattr(checkpoints, "open_stores", None)
    assert find_checkpoint(model_id) == file


def test_a_damaged_file_is_fetched_anew(model_id: str) -> None:
    file = find_checkpoint(model_id)
    file.write_bytes(file.read_bytes()[:-1])
    assert fetched_before(model_id, file.parent) is None
    assert file_sha256(find_checkpoint(model_id)) == model_id


def test_many_that_fetch_at_once_all_get_the_whole_file(
    model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = BlobStore.get

    def slow(self: BlobStore, reference: object) -> bytes:
        time.sleep(0.1)
        return plain(self, reference)  # type: ignore[arg-type]

    monkeypatch.setattr(BlobStore, "get", slow)
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(find_checkpoint, [model_id] * 4))
    assert len(set(files)) == 1
    assert file_sha256(files[0]) == model_id
    assert [file.name for file in files[0].parent.iterdir()] == [files[0].name]


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:016x}.safetensors" for number in range(4)]
    for age_s, file in zip((3000, 4000, 2000, 0), files, strict=True):
        file.write_bytes(b"x" * 10)
        then = time.time() - age_s
        os.utime(file, (then, then))
    (tmp_path / "mine.safetensors").write_bytes(b"x" * 100)
    assert make_room(tmp_path, 25) == [files[1], files[0]]
    # What is in use stays, even where it alone is too much.
    assert make_room(tmp_path, 0) == [files[2]]
    assert files[3].is_file()
    assert (tmp_path / "mine.safetensors").is_file()
