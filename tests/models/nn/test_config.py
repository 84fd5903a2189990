"""Hyper-parameters of a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scdp_models.errors import CheckpointError
from scdp_models.nn.config import NetworkConfig


def test_a_configuration_survives_json() -> None:
    config = NetworkConfig(target="total", n_layers=3, cutoff=4.5, project_charge=False)
    assert NetworkConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_fields_missing_from_an_old_document_take_their_defaults() -> None:
    assert NetworkConfig.from_dict({"n_layers": 1}) == NetworkConfig(n_layers=1)


def test_unknown_fields_are_named() -> None:
    with pytest.raises(CheckpointError, match=r"\['chanels', 'depth'\]; upgrade"):
        NetworkConfig.from_dict({"depth": 2, "chanels": 3})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"trunk": "escnn"}, "'escnn'; known: compact"),
        ({"target": "deta"}, "'deta'; known: delta, total"),
        ({"n_layers": 0}, "must be positive"),
        ({"n_channels": -1}, "must be positive"),
        ({"lmax": -1}, "must be positive"),
        ({"cutoff": 0.0}, "must be positive"),
        ({"pair_embedding": 0}, "must be positive"),
        ({"radial_hidden": 0}, "must be positive"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        NetworkConfig(**settings)
