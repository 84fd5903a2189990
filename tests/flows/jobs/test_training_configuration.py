"""Presets and settings become configurations, or are refused."""

from __future__ import annotations

from typing import Any

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.training_configuration import (
    check_for_dataset,
    configurations,
    preset_choices,
    second_stage_training,
    setting_names,
)


def test_settings_win_over_the_preset_and_the_preset_over_the_defaults() -> None:
    chosen = configurations("K4L3-b2.0", "delta", {"n_channels": 8}, {"n_steps": 7})
    assert (chosen.network.n_channels, chosen.network.lmax, chosen.network.target) == (
        8,
        3,
        "total",
    )
    assert (chosen.training.n_steps, chosen.training.schedule) == (7, "paper")
    assert configurations(None, "total", {}, {}).network.target == "total"


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("K8L6-b1.3-vo", ("etb-1.3+o", "total", True, False)),
        ("K8L6-b1.3-vo-sf", ("etb-1.3+o", "total", True, True)),
        ("small-vo", ("lean-l13+small", "delta", False, False)),
    ],
)
def test_a_preset_says_how_to_build_the_dataset(
    preset: str, expected: tuple[str, str, bool, bool]
) -> None:
    choices = preset_choices(preset)
    found = (choices.basis, choices.target, choices.keep_grid, choices.two_stages)
    assert found == expected


def test_the_second_stage_of_a_preset_is_the_published_one() -> None:
    found = configurations("K4L3-b2.0-sf", "total", {}, second_stage_training("K4L3-b2.0-sf", {}))
    training = found.training
    assert (training.schedule, training.n_steps) == ("paper_fine_tuning", 300_000)
    assert training.learning_rate == pytest.approx(2e-5)
    assert training.n_probes == 100_000
    short = second_stage_training("K4L3-b2.0-sf", {"n_steps": 10, "n_probes": 50})
    assert (short["n_steps"], short["n_probes"]) == (6, 50)


def test_a_second_stage_learns_from_grids() -> None:
    switched = {"loss_switch": {"after": 0.5, "to": "coefficients"}}
    for first in ({}, {"loss_weights": {"grid_mae": 1.0}}, {"loss": "grid_mae", **switched}):
        training = configurations(None, "delta", {}, second_stage_training(None, first)).training
        assert training.parts() == {"waves"}


@pytest.mark.parametrize(
    ("preset", "training", "message"),
    [
        ("K4L4", {}, "no preset 'K4L4'; there are: K4L3-b2.0"),
        (None, {"steps": 3}, "unknown training settings"),
        (None, {"batch_size": "many"}, "fields network and training"),
    ],
)
def test_what_is_unknown_is_named(
    preset: str | None, training: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        configurations(preset, "delta", {}, training)


def test_settings_must_fit_the_dataset() -> None:
    paper = configurations("K4L3-b2.0", "delta", {}, {})
    check_for_dataset(paper, "d", {"target": "total", "keep_grid": True})
    with pytest.raises(SettingsError, match="target 'total' does not fit dataset 'd'"):
        check_for_dataset(paper, "d", {"target": "delta", "keep_grid": True})
    with pytest.raises(SettingsError, match="keep_grid=True"):
        check_for_dataset(paper, "d", {"target": "total"})


def test_names_of_settings_are_those_of_the_configurations() -> None:
    names = setting_names()
    assert "n_layers" in names["network"]
    assert "n_steps" in names["training"]
