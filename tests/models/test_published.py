"""Imported models predict what the published ones do, through the common door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_models.checkpoint import load_checkpoint, save_checkpoint
from scdp_models.errors import CheckpointError
from scdp_models.nn.legacy import load as load_published
from scdp_models.nn.legacy.run_directory import read_run_directory
from scdp_models.predict import Geometry, load
from scdp_models.published import PUBLISHED_KIND, import_run
from scdp_models.testing import assert_same_density

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WATER = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])


@pytest.mark.parametrize("configuration", ["A", "B"])
@pytest.mark.parametrize("use_ema", [True, False], ids=["averages", "raw"])
def test_an_imported_model_predicts_as_the_published_one(
    official_run: Callable[..., Path], tmp_path: Path, configuration: str, use_ema: bool
) -> None:
    folder = official_run(configuration)
    path = save_checkpoint(tmp_path / "m.safetensors", import_run(folder, use_ema=use_ema))
    found = load(path, "float64").predict_batch([Geometry(*WATER)])[0]
    run = read_run_directory(folder, use_ema=use_ema)
    model = load_published(run.state, run.hparams)
    structure: Any = WATER if configuration == "A" else model.with_virtual_nodes(*WATER)
    assert_same_density(found.density, model(*structure).orbital_density(), tolerance=1e-10)
    assert found.excess_electrons == 0


def test_what_it_was_is_written_down(official_run: Callable[..., Path], tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "m.safetensors", import_run(official_run()))
    stored = load_checkpoint(path)
    assert stored.kind == PUBLISHED_KIND
    assert stored.network.mode == "legacy"
    assert stored.training["moving_average"] is True
    assert stored.training["global_step"] == 40
    assert "not on the published weights" in stored.training["parity"]
    assert dict(stored.reference.atoms) == {}


def test_another_kind_can_be_given(official_run: Callable[..., Path]) -> None:
    assert import_run(official_run(), kind={"electrons": "all"}).kind == {"electrons": "all"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"unique_atom_types": [1, 6]}', r"unique_atom_types \[1, 6\], the checkpoint \[1, 6, 7"),
        ('{"target_var": 2.0}', "target_var 2.0, the checkpoint 0.45"),
    ],
    ids=["elements", "variance"],
)
def test_mixed_up_runs_are_noticed(official_run: Callable[..., Path], text: str, said: str) -> None:
    folder = official_run()
    (folder / "metadata.json").write_text(text)
    with pytest.raises(CheckpointError, match=said):
        import_run(folder)


def test_periodic_structures_go_through_the_common_door(
    official_run: Callable[..., Path], tmp_path: Path
) -> None:
    path = save_checkpoint(tmp_path / "m.safetensors", import_run(official_run("C")))
    cell = 2.1 * (np.ones((3, 3)) - np.eye(3))
    geometry = ([12, 8], np.array([[0.0, 0, 0], [2.1, 2.1, 2.1]]), cell, (True, True, True))
    run = read_run_directory(tmp_path / "runC")
    expected = load_published(run.state, run.hparams)(*geometry[:3]).orbital_density()
    assert_same_density(load(path, "float64").predict(*geometry), expected, tolerance=1e-10)
