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
        ({"trunk": "escnn"}, "'escnn'; known: compact, escn"),
        ({"mode": "old"}, "'old'; known: equivariant, legacy"),
        ({"readout": "cubic"}, "known: linear, tensor_product"),
        ({"edge_channels": 0}, "must be positive"),
        ({"activation": "s2"}, "settings of trunk 'escn'"),
        ({"oversampling": 2.0}, "settings of trunk 'escn'"),
        ({"trunk": "escn", "oversampling": 2.0}, "for activation 's2'"),
        ({"trunk": "escn", "lmax": 1, "mmax": 2}, "between 0 and lmax, 1"),
        ({"trunk": "escn", "distance_spacing": 4.0}, "distance_spacing 4.0"),
        ({"trunk": "escn", "activation": "s2", "oversampling": 0.5}, "at least 1"),
        ({"mode": "legacy"}, "'trunk': 'compact'.* do not fit, set"),
        ({"trunk": "escn", "mode": "legacy"}, "'activation': 'gate', 'readout': 'linear'"),
        ({"midpoint_rule": "published"}, "is for mode 'legacy'"),
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


def test_the_published_model_is_a_configuration() -> None:
    settings: dict[str, Any] = {
        "trunk": "escn",
        "mode": "legacy",
        "activation": "s2",
        "readout": "tensor_product",
    }
    config = NetworkConfig(**settings, midpoint_rule="published", scale_exponents=True)
    assert config.legacy
    assert NetworkConfig.from_dict(config.to_dict()) == config
