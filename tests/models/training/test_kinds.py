"""Names, needs and switches of losses."""

from __future__ import annotations

from typing import Any

import pytest

from scdp_models.errors import TrainingError
from scdp_models.training.kinds import LOSS_KINDS, LossSwitch, checked_loss
from scdp_models.training.losses import LOSS_FUNCTIONS


def test_every_kind_has_a_function() -> None:
    assert list(LOSS_KINDS) == list(LOSS_FUNCTIONS)
    assert {kind.part for kind in LOSS_KINDS.values()} == {"fit", "probes", "waves"}


def test_an_unknown_loss_is_named_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="'mse'; known: coulomb, grid_mae, coulomb_g"):
        checked_loss("mse")


def test_a_switch_is_read_from_json() -> None:
    assert LossSwitch.from_dict({"after": 0.5, "to": "coulomb"}) == LossSwitch(0.5, "coulomb")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"after": 0.5}, "expected 'after' and 'to'"),
        ({"after": 1.0, "to": "coulomb"}, "loss_switch.after is 1.0"),
        ({"after": 0.5, "to": "mse"}, "'mse'; known"),
    ],
)
def test_impossible_switches_are_refused(document: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        LossSwitch.from_dict(document)
