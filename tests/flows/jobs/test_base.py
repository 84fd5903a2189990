"""The common fields of all steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scdp_flows.jobs.base import StepMaker

if TYPE_CHECKING:
    import pytest


def test_paths_do_not_depend_on_the_folder_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert StepMaker(store_path="store").store_path == str(tmp_path / "store")
    assert StepMaker(store_path="~/store").store_path == str(Path.home() / "store")


def test_without_a_path_the_settings_decide(scratch_settings: Path) -> None:
    with StepMaker().open_stores() as stores:
        assert stores.path == scratch_settings / "scdp_data"


def test_a_maker_moves_to_another_store(tmp_path: Path) -> None:
    maker = StepMaker(name="mine")
    moved = maker.in_store(str(tmp_path))
    assert (moved.name, moved.store_path) == ("mine", str(tmp_path))
    assert maker.store_path is None
    assert moved.in_store(None) is moved
