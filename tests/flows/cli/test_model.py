"""Models are listed from store and package, and imported from official runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.predictors.checkpoints import shipped_models

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_an_imported_model_is_listed_and_predicts(
    scdp: Any, official_run: Callable[..., Path], water_file: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    arguments = ("--name", "k2l2", "--no-ema", "--kind", "basis=520eV", "--store", store)
    result = scdp("model", "import", official_run(), *arguments)
    assert result.exit_code == 0, result.stderr
    assert "not tried on the published weights" in result.stdout
    assert "520eV" in result.stdout
    assert "k2l2" in scdp("model", "list", "--store", store).stdout
    run = scdp("predict", water_file, "--model", "k2l2", "--store", store, "-o", tmp_path / "out")
    assert run.exit_code == 0, run.stderr


def test_what_cannot_be_imported_is_named(scdp: Any, tmp_path: Path) -> None:
    result = scdp("model", "import", tmp_path, "--store", tmp_path / "store")
    assert result.exit_code != 0
    assert "no single checkpoint" in result.stderr
