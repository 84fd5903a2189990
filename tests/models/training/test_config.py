"""Descriptions of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_models.errors import CheckpointError, TrainingError
from scdp_models.training.config import RunSpecification, TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path


def test_a_configuration_survives_json() -> None:
    config = TrainingConfig(loss="grid_mae", betas=(0.8, 0.9), threads=2)
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "mse"}, "'mse'; known: coulomb, grid_mae"),
        ({"n_steps": 0}, "must be positive"),
        ({"batch_size": -1}, "must be positive"),
        ({"learning_rate": 0.0}, "must be positive"),
        ({"steps_per_round": 0}, "must be positive"),
        ({"loss": "grid_mae", "n_probes": 0}, "must be positive"),
        ({"seed": -1}, "seed"),
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
