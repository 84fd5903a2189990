from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import ModelError
from scdp_flows.schemas.training import MAX_HISTORY_ROWS, ModelDoc, file_sha256, thin_history

if TYPE_CHECKING:
    from pathlib import Path


def test_the_identifier_is_the_content_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    doc = ModelDoc.from_checkpoint(file, name="m", kind={}, kind_key="k", elements=["H"])
    assert doc.model_id == hashlib.sha256(b"weights").hexdigest()
    assert doc.blob is None


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.safetensors"):
        file_sha256(tmp_path / "nowhere.safetensors")


def test_a_long_history_keeps_its_ends() -> None:
    rows = [{"step": float(step), "train_loss": 1.0} for step in range(12_345)]
    thin = thin_history(rows)
    assert len(thin) == MAX_HISTORY_ROWS
    assert (thin[0]["step"], thin[-1]["step"]) == (0.0, 12_344.0)
    assert len({row["step"] for row in thin}) == MAX_HISTORY_ROWS


def test_a_short_history_stays_whole() -> None:
    rows = [{"step": 0.0}, {"step": 10.0}]
    assert thin_history(rows) == rows


def test_a_diverged_step_is_recorded_without_nan() -> None:
    assert thin_history([{"step": 1, "train_loss": math.nan}]) == [{"step": 1, "train_loss": None}]
