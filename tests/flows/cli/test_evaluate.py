"""Evaluating from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def test_errors_of_models_are_shown(
    scdp: Any, store: Path, instant_training: list[Path], tiny_checkpoint: Path
) -> None:
    scdp("train", "--store", store, "--name", "mine")
    result = scdp(
        "evaluate", "--store", store, "-m", "mine", "-m", tiny_checkpoint, "--dataset", "mine"
    )
    assert result.exit_code == 0, result.stderr
    assert all(name in result.stdout for name in ("mine", "tiny", "atomic", "NMAE / %"))


def test_a_dataset_is_needed(scdp: Any, store: Path, tiny_checkpoint: Path) -> None:
    result = scdp("evaluate", "--store", store, "-m", tiny_checkpoint)
    assert result.exit_code == 2
    assert "which labels" in result.stderr
