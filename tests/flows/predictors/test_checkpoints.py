"""A model is found by path, by name or identifier in the store, or in the package."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from jobflow import OutputReference

from scdp_flows.errors import ModelError
from scdp_flows.predictors.checkpoints import find_checkpoint, load_model, shipped_models
from scdp_flows.schemas.training import ModelDoc, file_sha256
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store_with_model(tmp_path: Path, tiny_checkpoint: Path) -> Path:
    """Give a store that holds the tiny model under the name 'mine'."""
    folder = tmp_path / "models"
    doc = ModelDoc.from_checkpoint(
        tiny_checkpoint, name="mine", kind={}, kind_key="k", elements=["H", "O"]
    )
    with open_stores(folder) as stores:
        stores.models.put_checkpoint(tiny_checkpoint, doc)
    return folder


def test_a_path_is_taken_as_it_is(tiny_checkpoint: Path) -> None:
    assert find_checkpoint(str(tiny_checkpoint)) == tiny_checkpoint


def test_name_and_identifier_find_the_model_in_the_store(
    store_with_model: Path, tiny_checkpoint: Path
) -> None:
    by_name = find_checkpoint("mine", str(store_with_model))
    by_identifier = find_checkpoint(file_sha256(tiny_checkpoint), str(store_with_model))
    assert by_name == by_identifier
    assert by_name.read_bytes() == tiny_checkpoint.read_bytes()
    assert by_name.is_relative_to(store_with_model)


def test_the_store_wins_over_the_package(
    store_with_model: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped.safetensors"
    shutil.copy(tiny_checkpoint, shipped)
    monkeypatch.setattr("scdp_models.predict.pretrained_path", lambda _name: shipped)
    assert find_checkpoint("mine", str(store_with_model)) != shipped
    assert find_checkpoint("another", str(store_with_model)) == shipped


def test_what_was_tried_is_told(store_with_model: Path) -> None:
    with pytest.raises(ModelError, match=r"(?s)no file minn.*there are: mine.*no shipped model"):
        find_checkpoint("minn", str(store_with_model))


def test_looking_leaves_no_store_behind(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model store in"):
        find_checkpoint("anything", str(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_file_is_not_taken_for_a_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no file"):
        find_checkpoint(str(tmp_path / "gone.safetensors"))


def test_a_wrong_checkpoint_is_a_model_error(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"no tensors at all")
    with pytest.raises(ModelError, match=r"wrong\.safetensors.*truncated"):
        load_model(str(wrong))


def test_a_reference_that_nobody_resolved_is_explained() -> None:
    with pytest.raises(ModelError, match="output of a job"):
        find_checkpoint(OutputReference("1234"))


def test_shipped_models_are_listed_by_name() -> None:
    for name in shipped_models():
        assert find_checkpoint(name).is_file()
