"""Official run directories are read, and nothing in them is run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import torch

from scdp_models.errors import CheckpointError
from scdp_models.nn.legacy.run_directory import read_run_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeRun = Callable[..., Path]

SYSTEM = os.system


class Payload:
    """Runs a command when it is unpickled the ordinary way."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def test_a_run_is_read_without_the_packages_that_wrote_it(official_run: MakeRun) -> None:
    run = read_run_directory(official_run(), use_ema=False)
    assert run.checkpoint.name == "epoch=3-step=40.ckpt"
    assert run.progress == {"epoch": 3, "global_step": 40}
    assert run.hparams["model"]["model"]["num_layers"] == 2
    assert run.hparams["metadata"]["unique_atom_types"] == [1, 6, 7, 8, 9]


@pytest.mark.parametrize("configuration", ["A", "B"])
def test_averages_take_the_place_of_parameters_alone(
    official_run: MakeRun, configuration: str
) -> None:
    folder = official_run(configuration)
    raw = read_run_directory(folder, use_ema=False).state
    averaged = read_run_directory(folder).state
    doubled = {name for name in raw if not torch.equal(raw[name], averaged[name])}
    assert all(torch.equal(averaged[name], 2 * raw[name]) for name in doubled)
    assert "model.layer_blocks.1.fc3_sphere.weight" in doubled
    assert not any("w3j" in name or "gto_dict" in name or "offset" in name for name in doubled)


@pytest.mark.parametrize(
    ("function", "said"),
    [(SYSTEM, r"asks to load \w+\.system,"), (eval, r"builtins\.eval"), (getattr, "getattr")],
    ids=["system", "eval", "getattr"],
)
def test_code_is_refused_by_name_and_not_run(
    official_run: MakeRun, tmp_path: Path, function: Callable[..., Any], said: str
) -> None:
    folder = official_run(extra=Payload(function, f"touch {tmp_path / 'touched'}"))
    with pytest.raises(CheckpointError, match=said):
        read_run_directory(folder)
    assert not (tmp_path / "touched").exists()


def test_the_latest_epoch_is_taken(official_run: MakeRun) -> None:
    folder = official_run()
    (folder / "epoch=20-step=99.ckpt").write_bytes(b"no checkpoint")
    (folder / "last.ckpt").write_bytes(b"no checkpoint either")
    with pytest.raises(CheckpointError, match=r"epoch=20-step=99\.ckpt is no Lightning checkpoint"):
        read_run_directory(folder)


def test_without_averages_the_raw_weights_are_offered(official_run: MakeRun) -> None:
    folder = official_run(ema=False)
    with pytest.raises(CheckpointError, match="no 'ema_state_dict'; import its raw weights"):
        read_run_directory(folder)
    assert read_run_directory(folder, use_ema=False).state


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("config.yaml", None, r"config\.yaml cannot be read"),
        ("config.yaml", "[1, 2]", r"config\.yaml holds no mapping"),
        ("config.yaml", "a: !!python/object/apply:os.system [ls]", r"config\.yaml cannot be read"),
        ("metadata.json", "{", r"metadata\.json cannot be read"),
    ],
    ids=["missing", "list", "python", "broken"],
)
def test_bad_documents_are_named(
    official_run: MakeRun, file: str, text: str | None, said: str
) -> None:
    path = official_run() / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(CheckpointError, match=said):
        read_run_directory(path.parent)


def test_folders_without_a_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no folder"):
        read_run_directory(tmp_path / "gone")
    with pytest.raises(CheckpointError, match="no single checkpoint"):
        read_run_directory(tmp_path)
