"""Descriptions of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_models.errors import CheckpointError, TrainingError
from scdp_models.training.config import RunSpecification, TrainingConfig
from scdp_models.training.kinds import LossSwitch

if TYPE_CHECKING:
    from pathlib import Path


def test_a_configuration_survives_json() -> None:
    config = TrainingConfig(
        loss="grid_mae",
        loss_weights={"coulomb_g": 0.1},
        loss_switch=LossSwitch(0.5, "coulomb"),
        betas=(0.8, 0.9),
        threads=2,
        max_seconds=60.0,
    )
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "mse"}, "'mse'; known: coulomb, grid_mae, coulomb_g"),
        ({"n_steps": 0}, "must be positive"),
        ({"batch_size": -1}, "must be positive"),
        ({"learning_rate": 0.0}, "must be positive"),
        ({"steps_per_round": 0}, "must be positive"),
        ({"loss": "grid_mae", "n_probes": 0}, "must be positive"),
        ({"seed": -1}, "seed"),
        ({"patience": 0}, "patience must be positive"),
        ({"max_seconds": 0.0}, "max_seconds must be positive"),
        ({"schedule": "cosine"}, "'cosine'; known: linear, paper"),
        ({"precision": "16"}, "'16'; known: 32, bf16-mixed, 64"),
        ({"loss_weights": {"mse": 1.0}}, "'mse'; known"),
        ({"loss_weights": {"coulomb": -1.0}}, "loss_weights must be positive"),
        ({"batch_size": 4, "accumulate": 3, "devices": 2}, "cannot be cut into 3 parts"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        TrainingConfig(**settings)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(TrainingError, match=r"\['epochs', 'lr'\]; upgrade"):
        TrainingConfig.from_dict({"lr": 1, "epochs": 2})


def test_a_specification_is_read_as_it_was_written(
    specification: RunSpecification, tmp_path: Path
) -> None:
    path = specification.write(tmp_path)
    assert path.name == "run.json"
    assert RunSpecification.read(tmp_path) == specification


def _edited(folder: Path, specification: RunSpecification, **changes: Any) -> None:
    path = specification.write(folder)
    document = json.loads(path.read_text())
    for name, value in changes.items():
        if value is None:
            del document[name]
        else:
            document[name] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 99}, r"run\.json was written by another version"),
        ({"basis": None}, r"run\.json does not describe a training run.*basis"),
        ({"colour": "red"}, r"run\.json does not describe a training run.*colour"),
        ({"training": {"n_steps": "many"}}, r"run\.json does not describe a training run"),
        ({"training": {"lr": 1}}, "unknown training settings"),
    ],
)
def test_damaged_specifications_are_refused(
    specification: RunSpecification, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    _edited(tmp_path, specification, **changes)
    with pytest.raises(TrainingError, match=said):
        RunSpecification.read(tmp_path)


def test_unknown_network_settings_are_named(
    specification: RunSpecification, tmp_path: Path
) -> None:
    _edited(tmp_path, specification, network={"depth": 3})
    with pytest.raises(CheckpointError, match=r"\['depth'\]"):
        RunSpecification.read(tmp_path)


@pytest.mark.parametrize("text", [None, "", "{"])
def test_missing_and_broken_files_are_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(TrainingError, match=r"run\.json does not describe a training run"):
        RunSpecification.read(tmp_path)


def test_runs_of_the_first_version_are_read(
    specification: RunSpecification, tmp_path: Path
) -> None:
    old = {
        "loss": "grid_mae",
        "n_steps": 7,
        "batch_size": 2,
        "learning_rate": 0.01,
        "betas": [0.9, 0.99],
        "warmup_steps": 3,
        "constant_fraction": 0.2,
        "gradient_clip": 1.0,
        "ema_decay": 0.995,
        "n_probes": 100,
        "steps_per_round": 5,
        "seed": 4,
        "threads": 1,
        "accelerator": "cpu",
    }
    network = {"trunk": "compact", "target": "delta", "n_layers": 1}
    _edited(tmp_path, specification, version=1, training=old, network=network)
    read = RunSpecification.read(tmp_path)
    assert read.training.losses(0.0) == {"grid_mae": 1.0}
    assert (read.training.n_steps, read.training.accumulate) == (7, 1)
    assert read.training.precision == "32"


def test_losses_are_added_and_switched() -> None:
    config = TrainingConfig(
        loss="grid_mae", loss_weights={"coulomb_g": 0.1}, loss_switch=LossSwitch(0.5, "coulomb")
    )
    assert config.losses(0.49) == {"grid_mae": 1.0, "coulomb_g": 0.1}
    assert config.losses(0.5) == config.final_losses == {"coulomb": 1.0}
    assert config.final_loss == "coulomb"
    assert config.parts() == {"probes", "waves", "fit"}
    assert config.needs_grid
    assert config.needs_fit


@pytest.mark.parametrize(("loss", "grid"), [("coulomb", False), ("coulomb_g", True)])
def test_labels_carry_what_the_losses_need(loss: str, *, grid: bool) -> None:
    config = TrainingConfig(loss=loss)
    assert (config.needs_grid, config.needs_fit) == (grid, not grid)
