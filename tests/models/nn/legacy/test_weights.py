"""Published names become ours, all of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from scdp_models.errors import CheckpointError
from scdp_models.nn.legacy import load


def test_every_tensor_has_a_place(published: Any) -> None:
    weights = published("B")
    model = load(weights.state, weights.hparams)
    total = sum(parameter.numel() for parameter in model.network.parameters())
    names = [n for n in weights.state if n.startswith("model.") and "w3j" not in n]
    expected = sum(weights.state[n].numel() for n in names if not n.endswith(("offset", "mask")))
    assert total == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.layer_blocks.1.fc1_sphere.weight", "lacks tensor for trunk.layer_blocks.1"),
        ("model.orbit_readout._compiled_main_left_right._w3j_1_1_2", "w3j_1_1_2"),
        ("model.orbit_readout.weight", "lacks tensor for readout.product.weight"),
    ],
    ids=["layer", "3j", "readout"],
)
def test_missing_tensors_are_named(published: Any, name: str, said: str) -> None:
    weights = published("A")
    del weights.state[name]
    with pytest.raises(CheckpointError, match=said):
        load(weights.state, weights.hparams)


def test_leftover_and_misshapen_tensors_are_named(published: Any) -> None:
    weights = published("A")
    with pytest.raises(CheckpointError, match=r"left-over tensor for trunk\.head"):
        load({**weights.state, "model.head": torch.zeros(1)}, weights.hparams)
    short = {**weights.state, "model.orbit_readout.weight": torch.zeros(7)}
    with pytest.raises(CheckpointError, match=r"has shape \(7,\), but the settings need"):
        load(short, weights.hparams)
