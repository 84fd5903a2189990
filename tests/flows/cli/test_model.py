"""Models are listed from store and package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.predictors.checkpoints import shipped_models

if TYPE_CHECKING:
    from pathlib import Path


def test_models_of_store_and_package_are_listed(
    scdp: Any, store: Path, instant_training: list[Path]
) -> None:
    scdp("train", "--store", store, "--name", "mine")
    result = scdp("model", "list", "--store", store)
    assert result.exit_code == 0, result.stderr
    assert "mine" in result.stdout
    assert all(name in result.stdout for name in shipped_models())


def test_looking_leaves_no_store_behind(scdp: Any, scratch_settings: Path) -> None:
    assert scdp("model", "list").exit_code == 0
    assert not (scratch_settings / "scdp_data").exists()
