"""Settings of the eSCN trunk are checked where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from scdp_models.errors import CheckpointError
from scdp_models.nn.escn.config import EscnConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "new"}, "unknown mode 'new'; known: equivariant, legacy"),
        ({"activation": "relu"}, "unknown activation 'relu'"),
        ({"lmax": 1, "mmax": 2}, "mmax <= lmax"),
        ({"n_hidden": 0}, "positive"),
        ({"distance_spacing": 4.0}, "distance_spacing"),
        ({"oversampling": 0.5}, "oversampling"),
    ],
    ids=["mode", "activation", "order", "width", "spacing", "grid"],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        EscnConfig(**settings)


def test_the_published_model_works_on_grids_whatever_the_activation() -> None:
    assert EscnConfig(mode="legacy").on_grid
    assert EscnConfig(activation="s2").on_grid
    assert not EscnConfig().on_grid
